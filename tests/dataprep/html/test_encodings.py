"""Labels and tables are those of the Encoding Standard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.html.decode.encodings import codec_of, extends_ascii, to_text

CODECS = ["cp1252", "cp1255", "cp874", "koi8-u", "euc_jp", "iso2022_jp_ext", "cp932", "gb18030", "big5hkscs", "cp949"]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("latin1", "cp1252"),
        (" UTF8\n", "utf-8"),
        ("x-sjis", "cp932"),
        ("GB2312", "gb18030"),
        ("ks_c_5601-1987", "cp949"),
        ("iso-8859-9", "cp1254"),
        ("tis-620", "cp874"),
        ("iso-8859-8-i", "iso8859-8"),
        ("x-mac-cyrillic", "mac-cyrillic"),
        ("x-user-defined", "cp1252"),
        ("iso-2022-kr", "iso2022_kr"),
        ("hz-gb-2312", "hz"),
        ("cp855", "cp855"),
        ("hex", None),
        ("utf-7", None),
        ("unicode_escape", None),
        ("iso-2022-cn", None),
        ('iso-8859-2"', None),
        ("utf-8\0", None),
        ("ütf-8", None),
        ("", None),
        (None, None),
    ],
)
def test_labels_mean_what_the_web_means_by_them(label, expected):
    assert codec_of(label) == expected


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("cp1252", b"\x80\x81\x8d\x8f\x90\x9d", "€\x81\x8d\x8f\x90\x9d"),
        ("cp1255", b"\xca\x81", "\u05ba\x81"),
        ("koi8-u", b"\xae\xbe", "ўЎ"),
        ("cp874", b"\x80\x81\xa1", "€\x81ก"),
        ("euc_jp", b"\xad\xa1\xad\xea\xa1\xc1\xa1\xdd\xc6\xfc", "①㈱～－日"),
        ("iso2022_jp_ext", b"\x1b$B-!-j!A!]F|\x1b(B.", "①㈱～－日."),
    ],
)
def test_bytes_mean_what_the_standard_says(name, data, text):
    assert to_text(data, name) == to_text(data, name, "replace") == text


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("cp1253", b"a\xaab", "a\ufffdb"),
        ("euc_jp", b"a\xffb", "a\ufffdb"),
        ("euc_jp", b"\xa9\xa1", "\ufffd\ufffd"),
        ("euc_jp", b"a\xad", "a\ufffd"),
    ],
)
def test_what_has_no_character_is_an_error_or_is_replaced(name, data, text):
    with pytest.raises(UnicodeDecodeError):
        to_text(data, name)
    assert to_text(data, name, "replace") == text


def test_the_same_japanese_text_in_three_encodings():
    """Every character of JIS X 0208 with NEC's rows, as cp932 has it, is the same by way of EUC-JP and ISO-2022-JP."""
    for row in (*range(1, 9), 13, *range(16, 85)):
        for cell in range(1, 95):
            lead = (row - 1) // 2 + (0x81 if row < 63 else 0xC1)
            trail = cell + (0x9E if row % 2 == 0 else 0x3F + (cell > 63))
            text = bytes((lead, trail)).decode("cp932", "replace")
            if "\ufffd" in text:
                continue
            assert to_text(bytes((row + 0xA0, cell + 0xA0)), "euc_jp") == text
            assert to_text(b"\x1b$B%c%c\x1b(B" % (row + 0x20, cell + 0x20), "iso2022_jp_ext") == text


@given(st.binary(max_size=60), st.sampled_from(CODECS))
def test_replacing_never_fails_and_changes_nothing_that_is_right(data, name):
    text = to_text(data, name, "replace")
    text.encode()
    try:
        assert to_text(data, name) == text
    except UnicodeDecodeError:
        assert "\ufffd" in text


def test_which_encodings_leave_ascii_as_it_is():
    assert all(map(extends_ascii, ["utf-8", "cp1252", "cp932", "euc_jp", "gb18030", "big5hkscs", "cp949", "koi8-u"]))
    assert not any(map(extends_ascii, ["utf-16-le", "iso2022_jp_ext", "iso2022_kr", "hz", "cp037"]))
