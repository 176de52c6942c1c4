"""Bytes are decoded once, in the order of belief, and never raise."""

import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.html.decode.charset import decode
from dataprep.html.decode.encodings import codec_of, to_text

GERMAN = "Füße, Öl und Käse für alle, die größer sind als wir. " * 5
JAPANESE = "これは日本語の文章です。文字コードを調べるために書きました。" * 5


def meta(text, charset):
    return f'<html><head><meta charset="{charset}"><title>x</title></head><body>{text}</body></html>'


@settings(deadline=None)  # the first detection loads chardet's models
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


def test_only_pages_that_are_not_utf8_may_declare_late():
    late = b"<!--" + b"x" * 1100 + b"-->" + meta(GERMAN, "iso-8859-15").encode("iso-8859-15")
    found = decode(late, None, html=True)
    assert (found.charset, found.how) == ("iso8859-15", "meta")
    assert decode(b"<!--" + b"x" * 1100 + b"--><meta charset=koi8-r>", None, html=True).how == "utf-8"
    assert decode(b"<!--" + b"x" * (1 << 16) + late, None, html=True).how == "detected"


@pytest.mark.parametrize(
    "declared", ["iso-8859-1", "windows-1251", "gb2312", "euc-kr", "shift_jis", "iso-2022-jp", None]
)
def test_utf8_is_recognised_whatever_was_declared(declared):
    for text in (GERMAN, JAPANESE, "<html>" * 10_000 + "ä"):
        found = decode(text.encode(), declared, html=True)
        assert (found.text, found.charset, found.how) == (text, "utf-8", "utf-8")


@pytest.mark.parametrize("header", ["utf-8", "iso-8859-1", None])
@pytest.mark.parametrize("cut", [1, 2])
def test_a_character_cut_off_at_the_end_is_one_lost_character(header, cut):
    found = decode(JAPANESE.encode()[:-cut], header, html=False)
    assert (found.charset, found.replaced) == ("utf-8", 1)
    assert found.text == JAPANESE[:-1] + "\ufffd"


def test_the_last_character_may_be_the_only_one_that_is_not_ascii():
    assert decode(b"It is so \xe2\x80", "utf-8", html=False).text == "It is so \ufffd"
    assert decode(b"caf\xe9", "iso-8859-1", html=False).text == "café"


@pytest.mark.parametrize("markup", [0, 100_000])
def test_much_markup_does_not_make_a_wrong_declaration_right(markup):
    text = "<b>" * markup + "Это русский текст, и в нём довольно много слов. " * 5
    found = decode(text.encode("cp1251"), "utf-8", html=True)
    assert (found.text, found.charset, found.how) == (text, "cp1251", "detected")


def test_utf16_needs_the_zeros_that_ascii_has_in_it():
    page = meta("text", "utf-16")
    assert decode(page.encode(), "utf-16", html=True).text == page
    assert decode(page.encode("utf-16-le"), "utf-16", html=True).text == page
    assert decode(GERMAN.encode("utf-16-le"), None, html=False).text == GERMAN


def test_replacement_characters_of_the_page_are_no_damage():
    assert decode(b"\xef\xbb\xbf" + "a\ufffdb".encode(), None, html=False).replaced == 0


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
    ("names", "sentence"),
    [
        (["cp949", "iso2022_kr", "johab"], "한국어로 쓴 글이다. 문자 인코딩을 알아내기 위해 여러 문장을 적었다."),
        (["big5hkscs", "gb18030"], "這是一段用繁體中文寫的文字,用來檢查字元編碼是否正確。"),
        (["cp1251", "koi8-r", "cp866", "cp855"], "Это русский текст, по которому узнают кодировку страницы."),
        (["cp874"], "นี่คือข้อความภาษาไทยที่เขียนขึ้นเพื่อตรวจสอบรหัสอักขระ"),
        (["cp1253"], "Αυτό είναι ένα ελληνικό κείμενο για τον έλεγχο της κωδικοποίησης."),
    ],
)
def test_many_scripts_are_detected(names, sentence):
    for name in names:
        assert decode(sentence.encode(name) * 3, None, html=False).text == sentence * 3


def test_files_of_known_encoding_are_decoded_as_such(shared_data):
    """All but the one file in EUC-TW, for which Python has no codec; with and without what the files declare."""
    same = total = 0
    with tarfile.open(shared_data / "html-extraction" / "encodings" / "chardet-files.tar.xz") as files:
        for file in files:
            folder = file.name.split("/")[-2] if file.isfile() else ""
            name = next((codec_of(label) for label in (folder, folder.rpartition("-")[0]) if codec_of(label)), None)
            if name is None:
                continue
            data = files.extractfile(file).read()
            text = to_text(data, name, "replace").removeprefix("\ufeff")
            for html in {False, not file.name.endswith(".txt")}:
                total += 1
                same += decode(data, None, html).text == text
    assert total > 300
    assert same == total


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Price: £20", "cp1252"),
        ("Preis: 20 €", "cp1252"),
        ("Größe: 42", "cp1252"),
        ("© 2019 Example", "cp1252"),
        ("It’s 5 o’clock", "cp1252"),
        ("Grüße aus Köln", "cp1252"),
        ("Tom’s café", "cp1252"),
        ("5° C", "cp1252"),
        ("Привет", "cp1251"),
        ("Цена 5", "cp1251"),
        ("Новости", "koi8-r"),
        ("Καλημέρα", "cp1253"),
        ("日本", "cp932"),
        ("中文", "gb18030"),
        ("안녕", "cp949"),
        ("مرحبا", "cp1256"),
    ],
)
def test_a_short_line_is_in_an_encoding_that_people_write(line, name):
    assert decode(line.encode(name), None, html=False).text == line
    assert decode(f"<p>{line}</p>".encode(name), "no such charset", html=True).text == f"<p>{line}</p>"
