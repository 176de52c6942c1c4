"""What each Unicode code point is, as one byte of flags: ``classes()[code_point] & SPACE`` and so on.

Decisions:
- Built from the interpreter's ``unicodedata`` (its version is ``UNICODE_VERSION``), so that a kernel's spaces and
  letters are exactly those of ``str.isspace`` and ``str.isalpha`` in the same process.
- Two properties that ``unicodedata`` lacks are given as ranges: ``Sentence_Terminal`` (Unicode Character Database,
  PropList.txt) with the Khmer signs that datatrove 0.10 counts among the ends of sentences, so that the two agree; and
  the scripts that write no spaces between words.
"""

import sys
import unicodedata
from functools import cache

import numpy as np

from dataprep.text.utf8 import Bytes

UNICODE_VERSION = unicodedata.unidata_version

SPACE = 1  # str.isspace()
WORD = 2  # letter, mark, number or connector (general categories L, M, N, Pc)
ALPHA = 4  # str.isalpha(): category L
NUMBER = 8  # category N
DIGIT = 16  # category Nd
SINGLE = 32  # a letter of a script without spaces between words: a word of its own
MARK = 64  # continues what it follows: category M, and Cf (joiners, soft hyphen, …) but the zero-width space
TERMINAL = 128  # ends a sentence

ZERO_WIDTH_SPACE = 0x200B

# Han, Hiragana (ideographs: UAX #29 breaks around each), then scripts whose lines need a dictionary to break (UAX #14,
# class SA): Thai, Lao, Myanmar, Khmer, Tai Le, New Tai Lue, Tai Tham, Tai Viet, Ahom.
NO_SPACE_SCRIPTS = (
    (0x3005, 0x3007), (0x3021, 0x3029), (0x3038, 0x303B), (0x3041, 0x309F), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF), (0x16FE3, 0x16FE3), (0x1B001, 0x1B11F), (0x1B150, 0x1B152), (0x20000, 0x3FFFD),
    (0x0E01, 0x0E5B), (0x0E81, 0x0EDF), (0x1000, 0x109F), (0xA9E0, 0xA9FE), (0xAA60, 0xAA7F), (0x1780, 0x17FF),
    (0x1950, 0x1974), (0x1980, 0x19DF), (0x1A20, 0x1AAD), (0xAA80, 0xAADF), (0x11700, 0x11746),
)  # fmt: skip

SENTENCE_TERMINAL = (
    "0021 002E 003F 0589 061D-061F 06D4 0700-0702 07F9 0837 0839 083D-083E 0964-0965 104A-104B 1362 1367-1368 166E "
    "1735-1736 17D4-17D6 17D9-17DA 1803 1809 1944-1945 1AA8-1AAB 1B5A-1B5B 1B5E-1B5F 1B7D-1B7E 1C3B-1C3C 1C7E-1C7F "
    "203C-203D 2047-2049 2E2E 2E3C 2E53-2E54 3002 A4FF A60E-A60F A6F3 A6F7 A876-A877 A8CE-A8CF A92F A9C8-A9C9 "
    "AA5D-AA5F AAF0-AAF1 ABEB FE52 FE56-FE57 FF01 FF0E FF1F FF61 10A56-10A57 10F55-10F59 10F86-10F89 11047-11048 "
    "110BE-110C1 11141-11143 111C5-111C6 111CD 111DE-111DF 11238-11239 1123B-1123C 112A9 1144B-1144C 115C2-115C3 "
    "115C9-115D7 11641-11642 1173C-1173E 11944 11946 11A42-11A43 11A9B-11A9C 11C41-11C42 11EF7-11EF8 11F43-11F44 "
    "16A6E-16A6F 16AF5 16B37-16B38 16B44 16E98 1BC9F 1DA88"
)


# what datatrove 0.10 (utils/text.py, PUNCTUATION) calls symbols, beside what ends a sentence
DATATROVE_SYMBOLS = (
    "0000-0008 000B-001F 0021-002F 003A-0040 005B-0060 007B-009F 00AB 00B4 00BB 2013-2014 2019 201C-201E 2026 2236 "
    "2501 25BA 3001-3002 3008-300D 3010-3011 FF01 FF05 FF08-FF09 FF0C FF0E FF11 FF1A-FF1B FF1F FF5E"
)


def code_points(ranges: str) -> frozenset[int]:
    """The code points of a list like ``SENTENCE_TERMINAL``."""
    found: set[int] = set()
    for item in ranges.split():
        first, _, last = item.partition("-")
        found.update(range(int(first, 16), int(last or first, 16) + 1))
    return frozenset(found)


def terminal_code_points() -> frozenset[int]:
    """The code points that end a sentence."""
    return code_points(SENTENCE_TERMINAL)


def datatrove_symbols() -> frozenset[int]:
    """The code points of which a word without letters consists, to datatrove 0.10."""
    return code_points(DATATROVE_SYMBOLS) | terminal_code_points()


@cache
def classes() -> Bytes:
    """uint8[0x110000], the flags of each code point. Built once per process (about 0.3 s)."""
    category = unicodedata.category
    flags = {
        "Lu": WORD | ALPHA, "Ll": WORD | ALPHA, "Lt": WORD | ALPHA, "Lm": WORD | ALPHA, "Lo": WORD | ALPHA,
        "Mn": WORD | MARK, "Mc": WORD | MARK, "Me": WORD | MARK,
        "Nd": WORD | NUMBER | DIGIT, "Nl": WORD | NUMBER, "No": WORD | NUMBER,
        "Pc": WORD, "Cf": MARK,
    }  # fmt: skip
    table = np.fromiter((flags.get(category(chr(c)), 0) for c in range(sys.maxunicode + 1)), np.uint8, 0x110000)
    table[ZERO_WIDTH_SPACE] = 0
    for first, last in NO_SPACE_SCRIPTS:
        part = table[first : last + 1]
        part[((part & (ALPHA | NUMBER)) != 0) & ((part & DIGIT) == 0)] |= SINGLE
    # str.isspace is true only below U+3001
    for code in range(0x3001):
        if chr(code).isspace():
            table[code] |= SPACE
    for code in terminal_code_points():
        table[code] |= TERMINAL
    table.flags.writeable = False
    return table


@cache
def regex_words() -> Bytes:
    """uint8[0x110000]: 1 where ``re`` matches ``\\w``. Marks are not among them, numerals of every kind are."""
    table = np.fromiter((chr(c).isalnum() for c in range(sys.maxunicode + 1)), np.uint8, 0x110000)
    table[ord("_")] = 1
    table.flags.writeable = False
    return table
