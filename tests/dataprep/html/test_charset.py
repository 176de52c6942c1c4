"""Bytes are decoded once, in the order of belief, and never raise."""

import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.html.charset import codec_of, decode

GERMAN = "Füße, Öl und Käse für alle, die größer sind als wir. " * 5
JAPANESE = "これは日本語の文章です。文字コードを調べるために書きました。" * 5


def meta(text, charset):
    return f'<html><head><meta charset="{charset}"><title>x</title></head><body>{text}</body></html>'


@given(st.binary(max_size=300), st.one_of(st.none(), st.text(max_size=12)), st.booleans())
def test_any_bytes_decode_under_any_label(data, label, html):
    decode(data, label, html).text.encode()


@pytest.mark.parametrize(
    ("data", "header", "expected"),
    [
        (b"\xef\xbb\xbf" + GERMAN.encode(), "iso-8859-1", ("utf-8", "bom")),
        (b"\xff\xfe" + GERMAN.encode("utf-16-le"), None, ("utf-16-le", "bom")),
        (b"\xfe\xff" + GERMAN.encode("utf-16-be"), "utf-8", ("utf-16-be", "bom")),
        (GERMAN.encode("cp1252"), "ISO-8859-1", ("cp1252", "header")),
        (meta(JAPANESE, "utf-8").encode("shift_jis"), "Shift_JIS", ("cp932", "header")),
        (meta(JAPANESE, "euc-jp").encode("euc-jp"), None, ("euc_jp", "meta")),
        (meta(JAPANESE, "euc-jp").encode("euc-jp"), "no-such-charset", ("euc_jp", "meta")),
        (meta(JAPANESE, "euc-jp").encode("euc-jp"), "utf-8", ("euc_jp", "meta")),  # the bytes contradict the header
        (GERMAN.encode(), "iso-8859-1", ("utf-8", "utf-8")),  # a server's default
        (GERMAN.encode(), None, ("utf-8", "utf-8")),
        (meta(GERMAN, "utf-16").encode(), None, ("utf-8", "meta")),
        (b"<?xml version='1.0' encoding='iso-8859-2'?><p>\xb1", None, ("iso8859-2", "meta")),
    ],
)
def test_the_order_of_belief(data, header, expected):
    found = decode(data, header, html=True)
    assert (found.charset, found.how) == expected
    assert found.replaced == 0


def test_only_the_first_1024_bytes_declare():
    late = b"<!--" + b"x" * 1100 + b"-->" + meta(GERMAN, "iso-8859-15").encode("iso-8859-15")
    assert decode(late, None, html=True).how != "meta"


def test_a_page_with_one_wrong_byte_keeps_its_encoding():
    found = decode(GERMAN.encode() + b"\xff" + GERMAN.encode(), None, html=False)
    assert (found.charset, found.replaced) == ("utf-8", 1)
    assert found.text.replace("\ufffd", "") == GERMAN * 2
    found = decode(JAPANESE.encode("euc_jp") + b"\xff" + JAPANESE.encode("euc_jp"), "euc-jp", html=False)
    assert (found.charset, found.replaced) == ("euc_jp", 1)


def test_undeclared_text_is_detected():
    for name, text in (("cp932", JAPANESE), ("euc_jp", JAPANESE), ("cp1252", GERMAN)):
        found = decode(text.encode(name), None, html=False)
        assert found.how == "detected"
        assert found.text == text


@pytest.mark.parametrize(
    ("label", "expected"),
    [("latin1", "cp1252"), ("UTF8", "utf-8"), ("x-sjis", "cp932"), ("GB2312", "gb18030"), ("hex", None), ("", None)],
)
def test_labels_mean_what_the_web_means_by_them(label, expected):
    assert codec_of(label) == expected


def test_real_files_of_known_encoding_decode_as_such(shared_data):
    """Share of the benchmark's files whose text equals that of the folder's encoding; a floor, not a target."""
    same = total = 0
    for archive in sorted((shared_data / "html-extraction" / "encodings").glob("*.tar.xz")):
        with tarfile.open(archive) as files:
            for file in files:
                name = codec_of(file.name.lstrip("./").split("/")[-2].split("-")[0]) if "/" in file.name else None
                folder = file.name.split("/")[-2] if "/" in file.name else ""
                name = next((codec_of(label) for label in (folder, folder.rpartition("-")[0]) if codec_of(label)), None)
                if not file.isfile() or name is None:
                    continue
                data = files.extractfile(file).read()
                total += 1
                same += decode(data, None, html=not file.name.endswith(".txt")).text == decode(data, name, False).text
    assert total > 100
    assert same / total > 0.85
