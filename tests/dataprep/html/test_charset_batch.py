"""A batch is decoded as its pages are one by one; what needs no change is not copied."""

import tarfile
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.html.decode.charset import LATE_PRESCAN, PRESCAN, decode
from dataprep.html.decode.charset_batch import decode_pages
from dataprep.html.decode.charset_kernel import ASCII, BLOCK, OTHER, UTF8, kinds
from dataprep.text.utf8 import frozen

PIECES = st.sampled_from(
    [
        *(b"a", b" ", b"/", b"'", b">", b"\0", b"\xe9", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"),
        *(b"\x1b$B", b"\x1b(J"),
        *("é".encode(), "語".encode(), "😀".encode(), "語".encode("cp932"), "語".encode("euc_jp"), "語".encode()[:2]),
        *(b"<meta charset=", b"<meta http-equiv=content-type content='text/html; charset=", b"<!--", b"-->"),
        *(b"utf-8", b"latin1", b"utf-16", b"iso-2022-jp", b"euc-kr", b"x-user-defined", b"no-such"),
        *(b"<?xml version='1.0' encoding='koi8-r'?>", b"x" * PRESCAN, b"x" * LATE_PRESCAN),
    ]
)
PAGES = st.one_of(
    st.binary(max_size=40), st.text(max_size=20).map(str.encode), st.lists(PIECES, max_size=8).map(b"".join)
)
LABELS = st.one_of(
    st.none(),
    st.text(max_size=8),
    st.sampled_from(
        ["utf-8", "UTF8", "latin1", "iso-2022-jp", "utf-16", "gb2312", "hz-gb-2312", "x-user-defined", "utf-7"]
    ),
)


def rows(pages):
    text = [bytes(pages.text.values[a:b]).decode() for a, b in pairwise(pages.text.offsets)]
    columns = pages.charset, pages.charset_from, pages.charset_replaced
    return list(zip(text, *(column.to_pylist() for column in columns), strict=True))


def expected(page, label, html):
    found = decode(page, label, html)
    return found.text, found.charset, found.how, found.replaced


@given(st.lists(st.tuples(PAGES, LABELS), max_size=6), st.booleans(), st.integers(0, 2))
def test_a_batch_is_decoded_as_its_pages_are(pages, html, skipped):
    payloads = pa.array([page for page, _ in pages], pa.large_binary()).slice(skipped)
    labels = pa.array([label for _, label in pages], pa.string()).slice(skipped)
    wanted = [expected(page, label, html) for page, label in pages[skipped:]]
    assert rows(decode_pages(payloads, labels, html)) == wanted


@given(st.lists(PAGES, max_size=4))
def test_nothing_need_be_declared(pages):
    assert rows(decode_pages(pa.array(pages, pa.large_binary()), None, html=True)) == [
        expected(page, None, True) for page in pages
    ]


def test_a_batch_that_needs_no_change_is_not_copied():
    payloads = pa.array([b"plain", "Füße".encode(), b"", b"<meta charset=koi8-r>plain"], pa.large_binary())
    pages = decode_pages(payloads, pa.array(["utf-8", "latin1", None, None]), html=True)
    assert pages.text.values.ctypes.data == payloads.buffers()[2].address
    assert pages.text.offsets.tolist() == [0, 5, 11, 11, 37]
    assert pages.charset.to_pylist() == ["utf-8", "utf-8", "utf-8", "koi8-r"]
    assert pages.charset_from.to_pylist() == ["header", "utf-8", "utf-8", "meta"]


def test_changed_pages_leave_their_neighbours_as_they_are():
    pages = [b"before", b"\xef\xbb\xbfmarked", "Füße".encode(), "Füße".encode("latin-1"), b"after"]
    decoded = decode_pages(pa.array(pages, pa.large_binary()), pa.array(["latin1"] * 5), html=False)
    assert [text for text, *_ in rows(decoded)] == ["before", "marked", "Füße", "Füße", "after"]
    assert decoded.charset_from.to_pylist() == ["header", "bom", "utf-8", "header", "header"]


@pytest.mark.parametrize("count", [0, 1])
def test_empty_batches_and_pages(count):
    decoded = decode_pages(pa.array([b""] * count, pa.large_binary()), None, html=True)
    assert rows(decoded) == [("", "utf-8", "utf-8", 0)] * count


def test_a_page_that_is_missing_is_an_error():
    with pytest.raises(ValueError, match="nulls"):
        decode_pages(pa.array([None], pa.large_binary()), None, html=True)


def kind(page):
    # what stands around a page must not count
    values = frozen(np.frombuffer(b"\xf0\x9f\x98" + page + b"\x80\x80", np.uint8))
    return int(kinds(values, np.array([3]), np.array([3 + len(page)]))[0])


def kind_by_python(page):
    try:
        return ASCII if page.decode().isascii() else UTF8
    except UnicodeDecodeError:
        return OTHER


@given(
    st.lists(
        st.one_of(
            st.sampled_from([b"a" * n for n in (1, BLOCK - 3, BLOCK - 2, BLOCK - 1, BLOCK)]),
            st.characters(exclude_categories=["Cs"]).map(str.encode),
            st.binary(max_size=3),
        ),
        max_size=5,
    ).map(b"".join)
)
def test_valid_utf8_is_what_python_says_it_is(page):
    assert kind(page) == kind_by_python(page)


def test_every_boundary_of_utf8_is_python_s():
    bytes_ = [
        0x00,
        0x7F,
        0x80,
        0x8F,
        0x90,
        0x9F,
        0xA0,
        0xBF,
        0xC0,
        0xC1,
        0xC2,
        0xDF,
        0xE0,
        0xE1,
        0xEC,
        0xED,
        0xEE,
        0xEF,
    ]
    bytes_ += [0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF]
    for first in bytes_:
        for second in bytes_:
            for third in bytes_:
                for tail in (b"", b"\x80", b"\x80\x80", b"a"):
                    page = bytes((first, second, third)) + tail
                    assert kind(page) == kind_by_python(page), page


def test_real_pages_are_decoded_as_one_by_one(shared_data):
    with tarfile.open(shared_data / "html-extraction" / "encodings" / "chardet-files.tar.xz") as files:
        pages = [files.extractfile(file).read() for file in files if file.isfile()]
    for html in (True, False):
        decoded = decode_pages(pa.array(pages, pa.large_binary()), None, html)
        assert rows(decoded) == [expected(page, None, html) for page in pages]
