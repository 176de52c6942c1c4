"""Editors of this package in plain Python, one document at a time: what the steps must equal on any text.

``EMAIL`` and ``IPV4`` are what datatrove 0.10 looks for (pipeline/formatters/pii.py), e-mail addresses first, IPv4
addresses in what is left.
"""

import re
from typing import Any

from dataprep.edits.c4 import POLICY

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)"
_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
EMAIL = re.compile(
    rf"\b{_LOCAL}(?:\.{_LOCAL})*@(?:(?:{_LABEL}\.)+{_LABEL}"
    rf"|\[(?:{_OCTET}\.){{3}}(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?|[A-Za-z0-9-]*[A-Za-z0-9]:)])"
)
IPV4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}")
_CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")


def c4(
    text: str,
    sentences: Any,
    end_marks: str = ".?!\"'",
    fewest_words: int = 3,
    count_after_citations: bool = False,
    longest_word: int = 1000,
) -> tuple[str, dict[str, Any]]:
    """The edited text and the columns; ``sentences`` counts those of a line."""
    dropped = dict.fromkeys(("long_word", "no_end_mark", "few_words", "javascript", "policy"), 0)
    kept: list[str] = []
    citations = 0
    stopped_by = None
    for line in text.splitlines():
        line = line.strip()
        words = line.split()
        if any(len(word) > longest_word for word in words):
            dropped["long_word"] += 1
            continue
        line, removed = _CITATION.subn("", line)
        if end_marks and (not line.endswith(tuple(end_marks)) or line.endswith("...")):
            dropped["no_end_mark"] += 1
            continue
        if len(line.split() if count_after_citations else words) < fewest_words:
            dropped["few_words"] += 1
            continue
        lower = line.lower()
        if "lorem ipsum" in lower:
            stopped_by = stopped_by or "lorem_ipsum"
        elif "javascript" in lower:
            dropped["javascript"] += 1
        elif "{" in line:
            stopped_by = stopped_by or "curly_bracket"
        elif any(phrase in lower for phrase in POLICY):
            dropped["policy"] += 1
        else:
            citations += removed
            kept.append(line)
    columns = {
        "c4.characters": len(text),
        "c4.lines": len(text.splitlines()),
        **{f"c4.lines_{rule}": count for rule, count in dropped.items()},
        "c4.citations": citations,
        "c4.stopped_by": stopped_by,
        "c4.sentences": sum(map(sentences, kept)),
    }
    return text if stopped_by else "\n".join(kept).strip(), columns
