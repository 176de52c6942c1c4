"""What the command line answers with one line instead of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """What the user can mend: one line on standard error, exit code 2, no traceback."""


@contextmanager
def user_errors() -> Iterator[None]:
    """Turns what a user can mend into one line."""
    try:
        yield
    except ValueError as error:
        raise UserError(str(error)) from None
