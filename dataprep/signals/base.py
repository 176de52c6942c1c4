"""What signals share: ratios as Python computes them.

Ratios are float64, not float32: a threshold is compared in double precision by every published recipe, and a share of
exactly 0.2 stored as float32 would already be above it. A ratio without a denominator (an empty document has no
lines and no words) is 0.0; counts are int32.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    """``int / int`` as Python computes it, element by element; 0.0 where the denominator is 0."""
    result = np.zeros(len(denominator), np.float64)
    np.divide(numerator, denominator, out=result, where=denominator != 0)
    return result
