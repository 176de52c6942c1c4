"""Dates as people and machines write them, to ISO 8601.

Read are: year, month, day in this order with any one separator (also 2019年2月8日 and 20190208); day, month, year with
the month in letters or as a number; month in letters, day, year. Of two numbers below 13 the first is the day, in pages
in English the month if slashes divide them, as trafilatura's htmldate reads them (https://github.com/adbar/htmldate);
British pages say ``en-GB``. A time is kept when it follows, with its zone if there is one.

Numbers inside a longer token (``Linux-6.18.44-fc``, ``v1.2.2019``) are a version or a name, no date. Days are compared
as numbers: 20190208.
"""

import numpy as np

from dataprep.compiled import njit
from dataprep.html.dom.records import Records
from dataprep.html.dom.tags import add_to_hash, start_hash
from dataprep.html.metadata.claims import word_at
from dataprep.text.utf8 import Bytes, Longs

NOTHING, NUMBER, MONTH = 0, 1, 2
GAP = 6  # bytes between the parts of a date
LONGEST = 25  # YYYY-MM-DDTHH:MM:SS+HH:MM
FIRST_DAY = 19000101
FIRST_WEB_DAY = 19900101
LAST_DAY = 20380119  # where it is not known when a page was fetched: the last that 32 bits of Unix time can tell


@njit(nogil=True, cache=True)
def find_date(
    text: Bytes, size: int, months: Records, month_first: bool, earliest: int, latest: int, out: Bytes
) -> tuple[int, int]:
    """Write the first date in ``text[:size]`` to ``out``; its length, 0 if there is none, and where it begins.

    Only days from ``earliest`` to ``latest`` are dates.
    """
    kinds = np.zeros(3, np.int64)  # of the last three parts
    values = np.zeros(3, np.int64)
    digits = np.zeros(3, np.int64)
    starts = np.zeros(3, np.int64)
    ends = np.zeros(3, np.int64)
    i = 0
    while i < size:
        start = i
        kind = NOTHING
        value = 0
        if 48 <= text[i] <= 57:
            while i < size and 48 <= text[i] <= 57:
                value = min(value * 10 + int(text[i]) - 48, 10**9)
                i += 1
            kind = NUMBER
        elif _is_letter(text[i]):
            hashed = start_hash()
            while i < size and _is_letter(text[i]):
                hashed = add_to_hash(hashed, text[i])
                i += 1
            value, _ = word_at(months, hashed)
            kind = MONTH if value else NOTHING
        else:
            i += 1
        if kind == NOTHING:
            continue
        if kind == NUMBER and i - start == 8:
            year, month, day = value // 10000, value // 100 % 100, value % 100
            if _is_date(year, month, day, earliest, latest) and not _in_token(text, start, i, size):
                return _write(text, i, size, year, month, day, out), start
        for k in range(2):
            kinds[k], values[k], digits[k] = kinds[k + 1], values[k + 1], digits[k + 1]
            starts[k], ends[k] = starts[k + 1], ends[k + 1]
        kinds[2], values[2], digits[2], starts[2], ends[2] = kind, value, i - start, start, i
        if kinds[0] == NOTHING or starts[1] - ends[0] > GAP or starts[2] - ends[1] > GAP:
            continue
        first, second = text[ends[0]], text[ends[1]]
        if (
            kinds[0] == NUMBER
            and kinds[1] == NUMBER
            and not (first == second and (45 <= first <= 47 or first == 95))
            and not (first >= 128 and second >= 128 and digits[0] == 4)
        ):
            continue
        year, month, day = _meaning(kinds, values, digits, month_first and first == 47)
        if year and _is_date(year, month, day, earliest, latest):
            named = kinds[0] == MONTH or kinds[1] == MONTH
            if named or not _in_token(text, starts[0], i, size):
                return _write(text, i, size, year, month, day, out), starts[0]
    return 0, 0


@njit(nogil=True, cache=True)
def _in_token(text: Bytes, start: int, end: int, size: int) -> bool:
    """Whether letters or numbers are joined to the numbers from ``start`` to ``end`` by a hyphen, stop or low line.

    In front a letter alone counts, too; a word is one whose blank got lost. Behind, a hyphen and a number are a zone:
    2019-02-08-05:00.
    """
    if start and text[start - 1] == 95:
        return True
    if start and _is_ascii_letter(text[start - 1]) and (start == 1 or not _is_letter(text[start - 2])):
        return True
    if start > 1 and 45 <= text[start - 1] <= 46 and (text[start - 2] >= 48 and text[start - 2] != 58):
        return True
    if end + 1 >= size or not (45 <= text[end] <= 46 or text[end] == 95):
        return False
    return _is_ascii_letter(text[end + 1]) or (text[end] != 45 and 48 <= text[end + 1] <= 57)


@njit(nogil=True, cache=True)
def _is_ascii_letter(byte: np.uint8) -> bool:
    return bool(np.uint8(97) <= byte | np.uint8(32) <= np.uint8(122))


@njit(nogil=True, cache=True)
def _is_letter(byte: np.uint8) -> bool:
    return bool(byte >= 128 or _is_ascii_letter(byte))


@njit(nogil=True, cache=True)
def _meaning(kinds: Longs, values: Longs, digits: Longs, month_first: bool) -> tuple[int, int, int]:
    """Year, month and day of three parts; the year is 0 if they are none."""
    first, second, third = values[0], values[1], values[2]
    if kinds[0] == MONTH:
        if kinds[1] == NUMBER and digits[1] <= 2 and kinds[2] == NUMBER and digits[2] == 4:
            return third, first, second
        return 0, 0, 0
    if kinds[2] != NUMBER:
        return 0, 0, 0
    if digits[0] == 4:
        return (first, second, third) if digits[1] <= 2 and digits[2] <= 2 else (0, 0, 0)
    if digits[0] > 2 or not (digits[2] == 4 or digits[2] == 2):
        return 0, 0, 0
    year = third + 2000 if digits[2] == 2 else third
    if kinds[1] == MONTH:
        return year, second, first
    if digits[1] > 2 or (digits[2] == 2 and digits[1] != 2):
        return 0, 0, 0
    if (month_first and first <= 12) or second > 12:
        return year, first, second
    return year, second, first


@njit(nogil=True, cache=True)
def _is_date(year: int, month: int, day: int, earliest: int, latest: int) -> bool:
    if not (earliest <= year * 10000 + month * 100 + day <= latest and 1 <= month <= 12 and 1 <= day <= 31):
        return False
    if month == 2:
        return day <= 28 or (day == 29 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))
    return day <= 30 or not (month == 4 or month == 6 or month == 9 or month == 11)


@njit(nogil=True, cache=True)
def _two(out: Bytes, at: int, value: int) -> None:
    out[at] = 48 + value // 10
    out[at + 1] = 48 + value % 10


@njit(nogil=True, cache=True)
def _write(text: Bytes, i: int, size: int, year: int, month: int, day: int, out: Bytes) -> int:
    """Write the date, and the time and zone that follow at byte ``i``."""
    _two(out, 0, year // 100)
    _two(out, 2, year % 100)
    out[4] = out[7] = 45
    _two(out, 5, month)
    _two(out, 8, day)
    if i < size and text[i] == 44:
        i += 1
    if i < size and (text[i] | np.uint8(32) == 116 or text[i] == 32):
        i += 1
    hour, i = _pair(text, i, size)
    if hour < 0 or hour > 24 or i >= size or text[i] != 58:
        return 10
    minute, i = _pair(text, i + 1, size)
    if minute < 0 or minute > 59:
        return 10
    second = 0
    if i < size and text[i] == 58:
        second, i = _pair(text, i + 1, size)
        if second < 0 or second > 59:
            second = 0
    if i < size and text[i] == 46:
        i += 1
        while i < size and 48 <= text[i] <= 57:
            i += 1
    spaced = i < size and text[i] == 32
    i += spaced
    if i + 1 < size and text[i + 1] | np.uint8(32) == 109 and 1 <= hour <= 12:  # am, pm
        if text[i] | np.uint8(32) == 112:
            hour = hour % 12 + 12
        elif text[i] | np.uint8(32) == 97:
            hour %= 12
    if hour == 24:
        return 10
    out[10] = 84
    _two(out, 11, hour)
    out[13] = out[16] = 58
    _two(out, 14, minute)
    _two(out, 17, second)
    if i >= size:
        return 19
    first = text[i] | np.uint8(32)
    utc = i + 2 < size and (
        (first == 103 and text[i + 1] | np.uint8(32) == 109) or (first == 117 and text[i + 2] | np.uint8(32) == 99)
    )
    if (first == 122 and not spaced) or utc:
        out[19] = 90
        return 20
    if text[i] != 43 and text[i] != 45:
        return 19
    sign = text[i]
    hours, i = _pair(text, i + 1, size)
    if hours < 0 or hours > 14:
        return 19
    i += i < size and text[i] == 58
    minutes, i = _pair(text, i, size)
    if minutes < 0 or minutes > 59:
        minutes = 0
    if hours == 0 and minutes == 0:
        out[19] = 90
        return 20
    out[19] = sign
    _two(out, 20, hours)
    out[22] = 58
    _two(out, 23, minutes)
    return 25


@njit(nogil=True, cache=True)
def _pair(text: Bytes, i: int, size: int) -> tuple[int, int]:
    """The number of one or two digits at byte ``i``, or -1, and where it ends."""
    if i >= size or not 48 <= text[i] <= 57:
        return -1, i
    value = int(text[i]) - 48
    i += 1
    if i < size and 48 <= text[i] <= 57:
        value = value * 10 + int(text[i]) - 48
        i += 1
    return value, i


@njit(nogil=True, cache=True)
def find_path_date(url: Bytes, size: int, divided: bool, latest: int, out: Bytes) -> int:
    """Write the date in the path of a URL to ``out``; its length, 0 if there is none.

    ``divided``: only one like /2019/02/08/ or 2019-02-08; else only 20190208, which may as well be a number.
    """
    start = 8
    while start < size and url[start] != 47:
        start += 1
    for i in range(start, size - 7):
        if url[i] == 63 or url[i] == 35:  # a query, a fragment
            return 0
        if 48 <= url[i - 1] <= 57 or not 49 <= url[i] <= 50:
            continue
        value = 0
        digits = 0
        separators = 0
        k = i
        while k < size and digits < 8:
            if 48 <= url[k] <= 57:
                value = value * 10 + int(url[k]) - 48
                digits += 1
            elif (digits == 4 or digits == 6) and (url[k] == 47 or url[k] == 45 or url[k] == 95) and url[k - 1] >= 48:
                separators += 1
            else:
                break
            k += 1
        if digits < 8 or separators != (2 if divided else 0) or (k < size and 48 <= url[k] <= 57):
            continue
        year, month, day = value // 10000, value // 100 % 100, value % 100
        if _is_date(year, month, day, FIRST_WEB_DAY, latest):
            return _write(url, size, size, year, month, day, out)
    return 0
