"""Arrays whose references numba does not count.

A call counts a reference to each array it is given, up and down, which are atomic additions: for a function called at
every tag with a dozen arrays that is more than its own work. An array that is borrowed has no counter: a kernel may
borrow what its caller holds, and never what it made itself, which would be freed at the last mention of its name.
"""

from typing import Any

from numba.core import cgutils
from numba.extending import intrinsic, overload


def borrowed(array: Any) -> Any:
    """The same array, in a kernel without its counter."""
    return array


def _without_counter_of(typing_context: Any, array: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(array)(context, builder, value=arguments[0])
        view.meminfo = cgutils.get_null_value(view.meminfo.type)  # type: ignore[no-untyped-call]
        return view._getvalue()

    return array(array), code


_without_counter: Any = intrinsic(_without_counter_of)


@overload(borrowed, inline="always")
def _borrowed(array: Any) -> Any:
    def view(array: Any) -> Any:
        return _without_counter(array)

    return view
