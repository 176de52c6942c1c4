"""From inputs to a directory: ``model.bin`` (or ``model.ftz``, compressed) and ``report.json``.

Decisions:
- With one thread fastText is a function of its training file and parameters, so the same inputs give the same bytes, of
  the report too: it has no times and no places but the inputs' paths as they were given.
- The directory appears whole at its name, and never over another one: a model in use is not replaced unasked. That it
  can be written is known before hours are spent on reading.
- The report is about the model as it was saved, compressed or not, and its scores are those that the step will give.
- fastText cannot be interrupted, so it works in a thread of its own that is left behind.
"""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from threading import Thread
from typing import Any

import numpy as np

from dataprep import storage
from dataprep.classifier.corpus import Lines
from dataprep.classifier.measure import Scores, measure
from dataprep.classifier.sample import Progress, Sample, Side, draw
from dataprep.classifier.settings import NEGATIVE, Input, TrainSettings
from dataprep.models import LABEL_PREFIX
from dataprep.signals.classifier import POSITIVE, scores

REPORT = "report.json"
LIBRARIES = ("fasttext-community", "numpy", "pyarrow", "xxhash")
SCORED_AT_ONCE = 1000
WAIT_SECONDS = 0.2  # between two looks at whether the user wants to stop


def train(
    positive: Sequence[Input],
    negative: Sequence[Input],
    out: str,
    settings: TrainSettings,
    progress: Progress = lambda phase, documents: None,
) -> dict[str, Any]:
    """Train on the inputs, write the directory ``out`` and return what its report says. Raises ``ValueError``.

    ``progress`` is told what is being done, and how many documents it has been done for.
    """
    fasttext = _trainer()
    out = _free(out)
    inputs = {
        label: [Lines(label, source, settings) for source in sources]
        for label, sources in ((POSITIVE, positive), (NEGATIVE, negative))
    }
    with storage.directory_atomic(out) as temporary:
        sample = draw(inputs[POSITIVE], inputs[NEGATIVE], progress)
        progress("training", len(sample.train.lines))
        model = _train(fasttext, sample.train, os.path.join(temporary, "train.txt"), settings)
        file = "model.ftz" if settings.quantize else "model.bin"
        model.save_model(os.path.join(temporary, file))
        value = {
            "model": file,
            "model_xxh3_128": storage.content_hash(os.path.join(temporary, file)),
            "model_bytes": os.path.getsize(os.path.join(temporary, file)),
            "label": POSITIVE,
            "settings": settings.model_dump(mode="json"),
            "inputs": _inputs(inputs, sample),
            "documents": {"trained_on": len(sample.train.lines), "held_out": len(sample.held_out.lines)},
            "in_both_classes": sample.in_both,
            "held_out": measure(*_scored(model, sample.held_out, progress), settings.keep_rate),
            "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        }
        storage.write_json(os.path.join(temporary, REPORT), value)
    return value


def _trainer() -> Any:
    import fasttext  # heavy

    if not hasattr(fasttext, "train_supervised"):
        raise ValueError(
            "the installed fasttext can only predict: another package lies over the one that trains; "
            "pip install --force-reinstall --no-deps fasttext-community"
        )
    return fasttext


def _free(out: str) -> str:
    if not storage.is_local(out):
        raise ValueError(f"out: {out}: fastText writes local files only; give a local directory and copy it")
    out = storage.absolute(out)
    if os.path.exists(out):
        raise ValueError(f"out: {out} exists already; remove it, or give another directory")
    return out


def _train(fasttext: Any, side: Side, path: str, settings: TrainSettings) -> Any:
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for line, positive in zip(side.lines, side.positive, strict=True):
            file.write(f"{LABEL_PREFIX}{POSITIVE if positive else NEGATIVE} {line}\n")
    result: list[Any] = []

    def work() -> None:
        try:
            model = fasttext.train_supervised(
                input=path,
                lr=settings.lr,
                dim=settings.dim,
                epoch=settings.epoch,
                wordNgrams=settings.word_ngrams,
                minCount=settings.min_count,
                bucket=settings.bucket,
                thread=settings.thread,
                seed=settings.seed,
                verbose=0,
            )
            if settings.quantize:
                model.quantize()
            result.append(model)
        except Exception as error:
            result.append(error)

    worker = Thread(target=work, daemon=True)
    worker.start()
    while worker.is_alive():
        worker.join(WAIT_SECONDS)
    os.unlink(path)
    if isinstance(result[0], RuntimeError | ValueError):  # numbers too large, a vocabulary too small
        raise ValueError(f"fastText cannot train this: {' '.join(str(result[0]).split())}")
    if isinstance(result[0], Exception):
        raise result[0]
    return result[0]


def _scored(model: Any, side: Side, progress: Progress) -> tuple[Scores, Scores]:
    """The scores of a side's positives and of its negatives."""
    found: list[float] = []
    for start in range(0, len(side.lines), SCORED_AT_ONCE):
        found += scores(model, POSITIVE, side.lines[start : start + SCORED_AT_ONCE])
        progress("measuring", len(found))
    values = np.array(found)
    return values[side.positive], values[~side.positive]


def _inputs(inputs: dict[str, list[Lines]], sample: Sample) -> dict[str, Any]:
    return {
        label: [
            {
                **one.source.model_dump(mode="json"),
                "documents": one.documents,
                "unreadable": one.unreadable,
                "different": different,
                "taken": taken,
                "files": [
                    {"name": file.name, "bytes": file.size, "xxh3_128": storage.content_hash(file.path)}
                    for file in one.files
                ],
            }
            for one, different, taken in zip(inputs[label], sample.different[side], sample.taken[side], strict=True)
        ]
        for side, label in enumerate(inputs)
    }
