"""What signals share: the definition of a word that they are given, and ratios as Python computes them.

Ratios are float64, not float32: a threshold is compared in double precision by every published recipe, and a share of
exactly 0.2 stored as float32 would already be above it. A ratio without a denominator (an empty document has no
lines and no words) is 0.0; counts are int32.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataprep.steps import Step
from dataprep.text.view import WordsName, libraries_of


def ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    """``int / int`` as Python computes it, element by element; 0.0 where the denominator is 0."""
    result = np.zeros(len(denominator), np.float64)
    np.divide(numerator, denominator, out=result, where=denominator != 0)
    return result


class OfWords(Step):
    """A signal whose ``words`` are those of a definition in `dataprep.text.view`."""

    words: WordsName = "unicode"

    def depends_on(self) -> dict[str, Any]:
        return {"libraries": libraries_of(self.words)}
