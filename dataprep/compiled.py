"""numba's ``njit`` for the kernels, whose cached machine code is never older than what it was compiled from.

numba keeps compiled functions on disk and compiles anew when the function's own file has changed. A kernel that calls
one of another file would go on running the old one, and after an update of this package give the old results without a
word; and numba cannot even read its index if that mentions a class that has moved. Here each folder of cached functions
is named after a hash of all files of its room and of the rooms whose kernels it may call, and older ones are deleted.
"""

import hashlib
import shutil
from functools import cache
from pathlib import Path

from numba import config, njit
from numba.core.caching import InTreeCacheLocator, UserProvidedCacheLocator, UserWideCacheLocator

__all__ = ["njit"]

PACKAGE = Path(__file__).parent
PREFIX = "of-"
SHARED = ("dedup", "signals", "text")  # rooms whose kernels others call


@cache
def _stamp(room: str) -> str:
    digest = hashlib.sha256()
    for name in sorted({room, *SHARED}):
        for path in sorted((PACKAGE / name).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def _delete_others(kept: Path) -> None:
    for folder in kept.parent.glob(f"{PREFIX}*"):
        if folder != kept:
            shutil.rmtree(folder, ignore_errors=True)


class _Rooms:
    """For functions of this package only."""

    _py_file: str

    @classmethod
    def from_function(cls, py_func: object, py_file: str) -> object:
        if PACKAGE not in Path(py_file).parents:
            return None
        return super().from_function(py_func, py_file)  # type: ignore[misc]

    def ensure_cache_path(self) -> None:
        super().ensure_cache_path()  # type: ignore[misc]
        _delete_others(Path(self.get_cache_path()))

    def get_cache_path(self) -> str:
        folder: str = super().get_cache_path()  # type: ignore[misc]
        return str(Path(folder) / (PREFIX + self.get_source_stamp()))

    def get_source_stamp(self) -> str:
        return _stamp(Path(self._py_file).relative_to(PACKAGE).parts[0])


class Given(_Rooms, UserProvidedCacheLocator):
    """In ``NUMBA_CACHE_DIR``, if that is set."""


class InTree(_Rooms, InTreeCacheLocator):
    """Beside the source, if one may write there."""


class UserWide(_Rooms, UserWideCacheLocator):
    """In the user's cache."""


_LOCATORS = [
    *(f"{__name__}.{locator.__name__}" for locator in (Given, InTree, UserWide)),
    *(
        "UserProvidedCacheLocator",
        "InTreeCacheLocator",
        "UserWideCacheLocator",
        "IPythonCacheLocator",
        "ZipCacheLocator",
    ),
]
setattr(config, "CACHE_LOCATOR_CLASSES", ",".join(_LOCATORS))  # noqa: B010  (numba makes its settings at run time)
