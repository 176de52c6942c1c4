"""The measurements of this package in plain Python, one document at a time: what the steps must equal on any text.

The formulas follow datatrove 0.10's filters as described in the modules; a ratio without a denominator is 0.0.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import tldextract

from dataprep.signals.gopher import STOP_WORDS
from dataprep.text import _reference as reference
from dataprep.text.classes import terminal_code_points

_BUNDLED_SUFFIXES = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())


def _ratio(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else 0.0


def gopher_quality(text: str) -> dict[str, float]:
    words = reference.words(text)
    content = [word for word in words if reference.has_content(word)]
    total = sum(reference.in_denominator(text))
    lines = text.splitlines()
    return {
        "gopher.words": len(content),
        "gopher.mean_word_length": _ratio(sum(map(len, content)), len(content)),
        "gopher.hash_ratio": _ratio(text.count("#"), total),
        "gopher.ellipsis_ratio": _ratio(text.count("...") + text.count("…"), total),
        "gopher.bullet_lines": _ratio(sum(line.lstrip().startswith(("•", "-")) for line in lines), len(lines)),
        "gopher.ellipsis_lines": _ratio(sum(line.rstrip().endswith(("...", "…")) for line in lines), len(lines)),
        "gopher.alpha_words": _ratio(sum(map(reference.has_alpha, words)), total),
        "gopher.stop_words": len(set(words) & set(STOP_WORDS)),
    }


def gopher_repetition(text: str) -> dict[str, float]:
    values = {}
    for name, pieces in (("para", reference.paragraphs(text)), ("line", reference.newline_run_lines(text))):
        count, chars = reference.duplicates(pieces)
        values[f"repetition.dup_{name}_frac"] = _ratio(count, len(pieces))
        values[f"repetition.dup_{name}_char_frac"] = _ratio(chars, len(text))
    words = reference.words(text)
    for n in (2, 3, 4):
        values[f"repetition.top_{n}_gram"] = _ratio(reference.top_ngram(words, n), len(text))
    for n in (5, 6, 7, 8, 9, 10):
        values[f"repetition.dup_{n}_gram"] = _ratio(reference.repeated_ngrams(words, n), len(text))
    return values


def fineweb(text: str) -> dict[str, float]:
    lines = [line for line in text.split("\n") if line.strip()]
    terminal = terminal_code_points()
    return {
        "fineweb.lines": len(lines),
        "fineweb.line_punct_ratio": _ratio(sum(ord(line[-1]) in terminal for line in lines), len(lines)),
        "fineweb.short_line_ratio": _ratio(sum(len(line) <= 30 for line in lines), len(lines)),
        "fineweb.char_dup_ratio": _ratio(reference.duplicates(lines)[1], len(text.replace("\n", ""))),
        "fineweb.list_ratio": _ratio(text.count("\n"), len(reference.words(text))),
    }


def urls(
    url: str,
    domains: Collection[str] = (),
    urls: Collection[str] = (),
    hard_words: Collection[str] = (),
    soft_words: Collection[str] = (),
    subwords: Collection[str] = (),
    ignore_scheme: bool = True,
) -> dict[str, Any]:
    def compared(url: str) -> str:
        return re.sub("^https?://", "", url) if ignore_scheme else url

    found = _BUNDLED_SUFFIXES(url)
    domain, host = found.top_domain_under_public_suffix, found.fqdn
    words = dict.fromkeys(re.split("[^a-zA-Z0-9]+", url))
    squeezed = re.sub("[^a-zA-Z0-9]+", "", url).lower()
    listed = {
        "url.domain_listed": [domain] if domain in domains else [],
        "url.host_listed": [host] if host in domains else [],
        "url.url_listed": [url] if compared(url) in set(map(compared, urls)) else [],
        "url.hard_words": [word for word in words if word in hard_words],
        "url.soft_words": [word for word in words if word in soft_words],
        "url.subwords": sorted(word for word in set(subwords) if word in squeezed),
    }
    values: dict[str, Any] = {
        name: bool(found) if name.endswith("listed") else len(found) for name, found in listed.items()
    }
    values["url.matched"] = " ".join(dict.fromkeys(entry for found in listed.values() for entry in found)) or None
    return values


def toxicity(text: str, entries: Collection[str], apart: bool) -> dict[str, float]:
    lowered = text.lower()

    def free(i: int) -> bool:
        return not apart or not 0 <= i < len(lowered) or re.match(r"\W", lowered[i]) is not None

    found = []
    i = 0
    while i < len(lowered):
        here = [entry for entry in entries if lowered.startswith(entry, i) and free(i - 1) and free(i + len(entry))]
        found += [max(here, key=len)] if here else []
        i += len(found[-1]) if here else 1
    return {
        "toxicity.words": len(found),
        "toxicity.distinct": len(set(found)),
        "toxicity.share": _ratio(sum(map(len, found)), len(lowered)),
    }


Run = tuple[str, ...]


def bare_words(text: str) -> list[str]:
    """The words with a letter or a number: those characters of theirs, in lower case and without marks."""
    return [bare_word(word) for word in reference.words(text) if reference.has_content(word)]


def bare_word(word: str) -> str:
    return "".join(_base(char).lower()[0] for char in word if char.isalnum()).replace("ς", "σ")


def _base(char: str) -> str:
    parts = unicodedata.normalize("NFD", char)
    return parts[0] if all(unicodedata.category(mark)[0] == "M" for mark in parts[1:]) else char


def sought_runs(
    items: Sequence[Sequence[str]], ngram: int, min_words: int, letters: float, common: int
) -> list[set[Run]]:
    """For each item of one set, given as its passages, the runs by which it is known."""
    found: list[set[Run]] = []
    for passages in items:
        runs: set[Run] = set()
        for passage in passages:
            words = bare_words(passage)
            size = min(ngram, len(words))
            if size >= min_words:
                runs |= {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}
        found.append({run for run in runs if sum(map(reference.has_alpha, run)) >= letters * len(run)})
    counts = Counter(run for runs in found for run in runs)
    return [{run for run in runs if counts[run] <= common} for runs in found]


def decontamination(text: str, sought: Mapping[str, set[Run]]) -> dict[str, float | str | None]:
    """``sought``: the runs of each item, by ``set:number`` in the order in which hits are listed."""
    words = bare_words(text)
    every: set[Run] = set().union(*sought.values())
    lengths = {len(run) for run in every}
    places = [(i, n) for n in lengths for i in range(len(words) - n + 1) if tuple(words[i : i + n]) in every]
    here = {tuple(words[i : i + n]) for i, n in places}
    found = {label: (len(runs & here), len(runs)) for label, runs in sought.items() if runs & here}
    hits = [f"{label}={100 * part // whole / 100:.2f}" for label, (part, whole) in found.items()]
    return {
        "decontamination.ngrams": len({i for i, _ in places}),
        "decontamination.items": len(found),
        "decontamination.hits": " ".join(hits) or None,
        "decontamination.share": _ratio(len({i + k for i, n in places for k in range(n)}), len(words)),
        "decontamination.covered": max((part / whole for part, whole in found.values()), default=0.0),
    }
