"""Where pre-tokens begin, 64 bytes at a time: a bit for each byte.

A pre-token's beginning depends on the kinds of a few neighbours, so for ASCII the rules are shifts and ands of bit
masks, without a branch; a loop that looks at one character after the other mispredicts once or twice a pre-token.

Decisions:
- Marks promise this: a pre-token that begins at a mark which is not *slow* ends at the next mark, unless that one is
  *open*. Slow are apostrophes (contractions), characters outside ASCII but letters, line ends and long numbers in the
  cl100k family; open are those with no letter before them. There `pretokens.pretoken_end` decides, and goes on until it
  is at a mark again. It alone is the definition; the marks are a faster way to the same ends.
- Masks are made by comparing 64 bytes at once: an LLVM vector, which becomes whatever the processor has. A kernel may
  read up to ``PADDING`` bytes behind a text.
"""

from typing import Any

import llvmlite.ir as ir  # type: ignore[import-untyped]
import numpy as np
from numba.core import types
from numba.cpython.unsafe.numbers import trailing_zeros  # type: ignore[import-untyped]
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from dataprep.compiled import njit
from dataprep.text.utf8 import Bytes, Hashes, decode
from dataprep.text.xxh3 import load8
from dataprep.tokens.pretokens import LETTER

PADDING = 128

_ZERO, _ONE, _TOP, _SIZE = np.uint64(0), np.uint64(1), np.uint64(63), np.uint64(64)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


def _bytes_in_range(context: Any, data: Any, at: Any, fold: Any, low: Any, span: Any) -> Any:
    """uint64: bit k is set where ``low <= (data[at + k] | fold) < low + span``. Not bound-checked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = ir.VectorType(ir.IntType(8), 64)
        array = make_array(signature.args[0])(context, builder, arguments[0])  # type: ignore[no-untyped-call]
        place = builder.gep(array.data, [arguments[1]])
        loaded = builder.load(builder.bitcast(place, vector.as_pointer()), align=1)

        def repeated(value: Any) -> Any:
            byte = builder.trunc(value, ir.IntType(8))
            one = builder.insert_element(ir.Constant(vector, ir.Undefined), byte, ir.Constant(ir.IntType(32), 0))
            zeros = ir.Constant(ir.VectorType(ir.IntType(32), 64), [0] * 64)
            return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)

        fold, low, span = (repeated(argument) for argument in arguments[2:])
        found = builder.icmp_unsigned("<", builder.sub(builder.or_(loaded, fold), low), span)
        return builder.bitcast(found, ir.IntType(64))

    return types.uint64(data, types.intp, types.intp, types.intp, types.intp), generate


bytes_in_range: Any = intrinsic(_bytes_in_range)


@njit(nogil=True, cache=True)
def mark(
    values: Bytes, start: int, end: int, table: Bytes, cl100k: bool, digits: int, marks: Any
) -> None:
    """Into three arrays of ``(end - start) // 64 + 1``: marks of ``values[start:end]`` and its end, the slow, the open."""
    begins, slow, open_ = marks
    words = (end - start) // 64 + 1
    # what the masks of a word are when nothing came before: of the word before the first, and behind the last
    spill_letters = spill = _ZERO
    letters = numbers = others = spaces = blanks = quotes = lines = odd = _ZERO
    last_letter = last_number = last_other = last_space = last_blank = last_single = last_line = last_taken = _ZERO
    for w in range(words + 1):
        next_letters = next_numbers = next_others = next_spaces = next_blanks = next_quotes = next_lines = next_odd = (
            _ZERO
        )
        if w < words:
            at = start + 64 * w
            left = end - at
            valid = _ALL if left >= 64 else np.uint64(np.uint64(_ONE << np.uint64(left)) - _ONE)
            next_letters = np.uint64(bytes_in_range(values, at, 0x20, 0x61, 26) & valid)
            next_numbers = np.uint64(bytes_in_range(values, at, 0, 0x30, 10) & valid)
            next_blanks = np.uint64(bytes_in_range(values, at, 0, 0x20, 1) & valid)
            next_spaces = np.uint64(np.uint64(bytes_in_range(values, at, 0, 0x09, 5) & valid) | next_blanks)
            next_quotes = np.uint64(bytes_in_range(values, at, 0, 0x27, 1) & valid)
            high = np.uint64(bytes_in_range(values, at, 0, 0x80, 0x80) & valid)
            next_others = np.uint64(valid & ~(next_letters | next_numbers | next_spaces | high))
            if cl100k:
                next_lines = np.uint64(bytes_in_range(values, at, 0, 0x0A, 1) | bytes_in_range(values, at, 0, 0x0D, 1))
                next_lines = np.uint64(next_lines & valid)
            if high != _ZERO:
                next_letters |= spill_letters
                high = np.uint64(high & ~spill)
                spill_letters = spill = _ZERO
                while high != _ZERO:
                    place = np.uint64(trailing_zeros(high))
                    code, size = decode(values, at + np.int64(place), end)
                    ones = np.uint64(np.uint64(_ONE << np.uint64(size)) - _ONE)
                    these = np.uint64(ones << place)
                    high = np.uint64(high & ~these)
                    beyond = _ZERO
                    if np.int64(place) + size > 64:
                        beyond = np.uint64(ones >> np.uint64(_SIZE - place))
                    spill |= beyond
                    if load8(table, code) == LETTER:
                        next_letters |= these
                        spill_letters |= beyond
                    else:
                        next_odd |= np.uint64(_ONE << place)
        if w > 0:
            # words are joined at their ends: the first bit of the next, the last of the one before
            solid = np.uint64(letters | numbers | others)
            next_solid = np.uint64(next_letters | next_numbers | next_others)
            space_before_solid = np.uint64(
                spaces & np.uint64(np.uint64(solid >> _ONE) | np.uint64(next_solid << _TOP))
            )
            space_begins = np.uint64(spaces & ~np.uint64(np.uint64(spaces << _ONE) | last_space))
            space_begins |= space_before_solid
            after_blank = np.uint64(np.uint64(blanks << _ONE) | last_blank)
            letter_begins = np.uint64(letters & ~np.uint64(np.uint64(letters << _ONE) | last_letter))
            number_begins = np.uint64(numbers & ~np.uint64(np.uint64(numbers << _ONE) | last_number))
            other_begins = np.uint64(others & ~np.uint64(np.uint64(others << _ONE) | last_other))
            other_begins = np.uint64(other_begins & ~after_blank)
            slow_here = np.uint64(odd | np.uint64(quotes & other_begins))
            opens = odd
            if cl100k:
                flat = np.uint64(spaces & ~lines)
                before_letter = np.uint64(np.uint64(letters >> _ONE) | np.uint64(next_letters << _TOP))
                single = np.uint64(other_begins & before_letter)
                attached = np.uint64(np.uint64(np.uint64(single | flat) << _ONE) | last_single | last_line)
                letter_begins = np.uint64(letter_begins & ~attached)
                last_single = np.uint64(single >> _TOP)
                last_line = np.uint64(flat >> _TOP)
                if digits == 1:
                    number_begins = numbers
                elif digits > 1:
                    beyond = np.uint64(numbers >> np.uint64(digits))
                    more = np.uint64(beyond | np.uint64(next_numbers << np.uint64(64 - digits)))
                    slow_here |= np.uint64(number_begins & more)
                next_line = np.uint64(np.uint64(lines >> _ONE) | np.uint64(next_lines << _TOP))
                next_space = np.uint64(np.uint64(spaces >> _ONE) | np.uint64(next_spaces << _TOP))
                # a single line end goes with punctuation before it, and is alone if a word or the like follows
                taken = np.uint64(lines & np.uint64(np.uint64(others << _ONE) | last_other) & ~next_line)
                space_begins |= np.uint64(lines | np.uint64(flat & np.uint64(np.uint64(taken << _ONE) | last_taken)))
                space_begins = np.uint64(space_begins & ~taken)
                last_taken = np.uint64(taken >> _TOP)
                many = np.uint64(lines & next_space & ~taken)
                slow_here |= many
                opens |= np.uint64(lines & ~taken)
            else:
                letter_begins = np.uint64(letter_begins & ~after_blank)
                number_begins = np.uint64(number_begins & ~after_blank)
            found = np.uint64(letter_begins | number_begins | other_begins | space_begins | odd)
            if w == words:
                found |= np.uint64(_ONE << np.uint64((end - start) & 63))
            begins[w - 1] = found
            slow[w - 1] = slow_here
            open_[w - 1] = np.uint64(opens & ~np.uint64(np.uint64(letters << _ONE) | last_letter))
            last_letter = np.uint64(letters >> _TOP)
            last_number = np.uint64(numbers >> _TOP)
            last_other = np.uint64(others >> _TOP)
            last_space = np.uint64(spaces >> _TOP)
            last_blank = np.uint64(blanks >> _TOP)
        letters, numbers, others, spaces = next_letters, next_numbers, next_others, next_spaces
        blanks, quotes, lines, odd = next_blanks, next_quotes, next_lines, next_odd
