"""The rules of spaCy's English tokenizer, read from the installed library into the tables of `spacy_kernel`.

The characters and words in the rules come from the library's own patterns at run time. Their *form* is what the kernel
has compiled in: `load_rules` compares it with the installed library's and raises where another release has other rules.
"""

import importlib
import re
import sys
from collections.abc import Sequence, Sized
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from typing import Any

import numpy as np

from dataprep.text.spacy_kernel import (
    BEFORE_STOP,
    CURRENCY,
    DECIMAL,
    HOST,
    ICON,
    LABEL,
    LETTER,
    LOWER,
    PREFIX,
    QUOTE,
    SCHEME,
    SPECIAL_CODES,
    STOP,
    SUFFIX,
    UNIT_CODES,
    UPPER,
    Classes,
    Codes,
    scratch,
    tokenize,
)
from dataprep.text.utf8 import Hashes, Ints, Longs, extend_hash

# what `load_rules` expects of spacy.lang: the rules that are more than one character of a list
_PREFIXES = (r"\+(?![0-9])", "……", r"\.\.+", r"US\$", r"C\$", r"A\$")
_SUFFIXES = ("……", r"\.\.+", "'s", "'S", "’s", "’S", r"(?<=[0-9])\+", r"(?<=°[FfCcKk])\.")
_INFIXES = (r"\.\.+", r"(?<=[0-9])[+\-\*^](?=[0-9-])")
_HYPHENS = ["-", "–", "—", "--", "---", "——", "~"]


@dataclass(frozen=True)
class Rules:
    """What the kernel looks up. Special cases by the hash of their bytes: their tokens' lengths in code points."""

    classes: Classes  # uint16[0x110000]
    units: Codes  # endings that are taken off behind a digit, one after the other
    unit_offsets: Longs
    special_keys: Hashes  # sorted
    special_offsets: Longs
    special_lengths: Ints
    joined_offsets: Longs  # the tokens that are joined into the special case, if they stand there
    joined_lengths: Ints

    @property
    def arrays(self) -> tuple[Any, ...]:
        return tuple(getattr(self, field.name) for field in fields(self))


def import_spacy() -> Any:
    """The package, without PyTorch.

    spaCy's neural part imports PyTorch where it is installed, which costs seconds and 150 MB and serves no rule.
    """
    here = "torch" in sys.modules
    if not here:
        sys.modules["torch"] = None  # type: ignore[assignment]  # an import of it fails
    try:
        return importlib.import_module("spacy")
    finally:
        if not here:
            del sys.modules["torch"]


def load_rules() -> Rules:
    """The rules of ``spacy.blank("en").tokenizer``, without a model. ``RuntimeError`` when they have another form."""
    spacy = import_spacy()
    from spacy.lang import char_classes as known
    from spacy.lang.en import English

    tokenizer = spacy.blank("en").tokenizer

    prefixes, suffixes, infixes = (
        list(getattr(English.Defaults, name)) for name in ("prefixes", "suffixes", "infixes")
    )
    a, al, au = known.ALPHA, known.ALPHA_LOWER, known.ALPHA_UPPER
    quotes, hyphens = known.CONCAT_QUOTES, known.HYPHENS
    stop = rf"(?<=[0-9{al}%²\-\+{known.PUNCT}(?:{quotes})])\."
    long_suffixes = [
        *(rf"(?<=[0-9])(?:{known.CURRENCY})", rf"(?<=[0-9])(?:{known.UNITS})", stop),
        rf"(?<=[{au}][{au}])\.",
    ]
    long_infixes = [
        rf"(?<=[{al}{quotes}])\.(?=[{au}{quotes}])",
        *(rf"(?<=[{a}]),(?=[{a}])", rf"(?<=[{a}0-9])(?:{hyphens})(?=[{a}])", rf"(?<=[{a}0-9])[:<>=/](?=[{a}])"),
    ]
    single = {
        name: [piece for piece in pieces if piece and piece not in longer]
        for name, pieces, longer in (
            ("prefix", prefixes, _PREFIXES),
            ("suffix", suffixes, (*_SUFFIXES, *long_suffixes)),
            ("infix", infixes, (*_INFIXES, *long_infixes)),
        )
    }
    icons = rf"[{known.CONCAT_ICONS}]"
    same = (
        all(piece in suffixes for piece in (*_SUFFIXES, *long_suffixes))
        and all(piece in prefixes for piece in _PREFIXES)
        and single["infix"] == ["…", icons]
        and known.LIST_HYPHENS == _HYPHENS
        and all(len(re.sub(r"\\", "", p)) == 1 or p == icons for p in (*single["prefix"], *single["suffix"]))
        and tokenizer.token_match is None
        and max(map(len, tokenizer.rules)) <= SPECIAL_CODES
        and max(map(len, known.UNITS.split("|"))) <= UNIT_CODES
    )
    if not same:
        raise RuntimeError(f"spaCy {version('spacy')} has other rules for English than 3.8: install spacy>=3.8,<3.9")

    classes = np.zeros(sys.maxunicode + 1, np.uint16)
    every = "".join(map(chr, range(sys.maxunicode + 1)))

    def mark(flag: int, pattern: str, within: str = every, step: int = 1) -> None:
        found = np.fromiter((m.start() for m in re.finditer(pattern, within)), np.int64)
        classes[found // step] |= flag

    mark(PREFIX, "|".join(single["prefix"]))
    mark(SUFFIX, "|".join(single["suffix"]))
    mark(CURRENCY, "|".join(p for p in known.LIST_CURRENCY if len(re.sub(r"\\", "", p)) == 1))
    mark(ICON, icons)
    mark(LOWER, f"[{al}]")
    mark(UPPER, f"[{au}]")
    mark(LETTER, f"[{a}]")
    mark(QUOTE, f"[{quotes}]")
    mark(HOST, r"[A-Za-z0-9\u00a1-\uffff]")
    mark(LABEL, r"[A-Za-z0-9\u00a1-\uffff_-]")
    mark(SCHEME, r"[\w\+\-\.]")
    mark(DECIMAL, r"\d")
    # of pairs "x." only those whose stop follows an x of the class match; x is the pair's number
    mark(BEFORE_STOP, stop, "".join(f"{c}." if c != "." else "a " for c in every), 2)
    if re.search(stop, ".."):
        classes[STOP] |= BEFORE_STOP

    units = known.UNITS.split("|")
    specials = sorted(
        (_hash(text), text, [len(token[65]) for token in tokens])  # 65 is ORTH
        for text, tokens in tokenizer.rules.items()
    )
    without = Rules(
        classes,
        np.array([ord(c) for unit in units for c in unit], np.int32),
        _offsets(units),
        np.empty(0, np.uint64),
        *(_offsets([]), np.empty(0, np.int32)),
        *(_offsets([]), np.empty(0, np.int32)),
    )
    joined = [_cut(text, without) if _is_joined(tokenizer, text) else [] for _, text, _ in specials]
    return replace(
        without,
        special_keys=np.array([key for key, _, _ in specials], np.uint64),
        special_offsets=_offsets([lengths for _, _, lengths in specials]),
        special_lengths=np.array([length for _, _, lengths in specials for length in lengths], np.int32),
        joined_offsets=_offsets(joined),
        joined_lengths=np.array([length for lengths in joined for length in lengths], np.int32),
    )


def _is_joined(tokenizer: Any, text: str) -> bool:
    cut = tokenizer.find_prefix(text) or tokenizer.find_infix(text) or tokenizer.find_suffix(text)
    return bool(cut) and not any(map(str.isspace, text))


def _cut(text: str, rules: Rules) -> list[int]:
    """The lengths of the tokens in code points."""
    data = np.frombuffer(text.encode(), np.uint8)
    lengths = scratch()
    count = tokenize(data, 0, len(data), *lengths, *rules.arrays)
    assert count > 0, text
    ends = np.cumsum(lengths[-2][:count])
    return [len(data[end - size : end].tobytes().decode()) for size, end in zip(lengths[-2], ends, strict=False)]


def _offsets(pieces: Sequence[Sized]) -> Longs:
    return np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]).astype(np.int64)


def _hash(text: str) -> int:
    data = np.frombuffer(text.encode(), np.uint8)
    return int(extend_hash(np.uint64(0), data, 0, len(data)))
