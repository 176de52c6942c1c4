"""The keep policy as a number: which of several copies is worth most."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.dedup.settings import DedupSettings

F64 = npt.NDArray[np.float64]


def preference(batch: pa.RecordBatch, settings: DedupSettings) -> F64:
    """float64[n], larger is better, from the columns that the keep policy looks at; -inf where the value is missing."""
    if settings.keep == "longest":
        values = pc.utf8_length(batch.column("text"))
    elif settings.keep in ("newest", "earliest"):
        values = batch.column("date").cast(pa.int64())
        values = values if settings.keep == "newest" else pc.negate(values)
    elif settings.keep == "source":
        names = batch.column("source").cast(pa.string())
        values = pc.negate(pc.index_in(names, pa.array(settings.sources, pa.string())))
    else:
        values = batch.column(settings.signal)
    numbers = pc.fill_null(values.cast(pa.float64()), -np.inf).to_numpy(zero_copy_only=False)
    return np.where(np.isnan(numbers), -np.inf, numbers)


def preference_columns(settings: DedupSettings) -> list[str]:
    """The columns ``preference`` needs."""
    special = {"longest": "text", "newest": "date", "earliest": "date", "source": "source"}
    return [special.get(settings.keep) or str(settings.signal)]


def check_columns(names: Sequence[str], settings: DedupSettings) -> None:
    """Raise ``ValueError`` naming the field whose column documents with the columns ``names`` do not have."""
    scope = None if settings.scope == "corpus" else settings.scope
    for field, column in (("signal", settings.signal), ("scope", scope)):
        if column is not None and column not in names:
            raise ValueError(
                f"deduplicate.{field}: {column!r} is not a column of the documents, which have {', '.join(names)}"
            )
