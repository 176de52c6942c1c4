"""The prescan finds what the HTML Standard says it finds, in linear time."""

import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.html.decode.charset import LATE_PRESCAN, declared_inside
from dataprep.html.decode.encodings import codec_of
from dataprep.html.decode.prescan import labels
from dataprep.html.decode.prescan_kernel import NONE, next_label, xml_label
from dataprep.text.utf8 import frozen


def by_kernel(page):
    values, at, found = frozen(np.frombuffer(page, np.uint8)), 0, []
    while at < len(page):
        start, stop, at = next_label(values, at, len(page))
        if start != NONE:
            found.append(page[start:stop])
    start, stop = xml_label(values, 0, len(page))
    return found if start == NONE else [*found, page[start:stop]]


TOKENS = st.sampled_from(
    [
        *(b"<meta", b"<META ", b"<p", b"</p", b"<!--", b"-->", b"<!", b"</", b"<?", b">", b"<", b"-", b"!"),
        *(b" ", b"\n", b"/", b"=", b"'", b'"', b";", b"x", b"\x0b", b"\xc3", b" charset", b"charset=", b"utf-8"),
        *(b" http-equiv", b"=Content-Type", b"='content-type'", b" content=", b"'text/html; charset=", b"httx-equiv"),
        *(b"<?xml", b" encoding='a'", b"?>"),
        *(b"<meta charset=", b"<meta http-equiv=content-type content='charset=x'>", b"content-typE", b"contentXtype"),
    ]
)


@settings(max_examples=400)
@given(st.one_of(st.lists(TOKENS, max_size=20).map(b"".join), st.binary(max_size=40)))
def test_the_kernel_finds_what_python_finds(page):
    assert by_kernel(page) == list(labels(page))


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (b"<meta charset=a>", [b"a"]),
        (b"<meta charset=a", []),
        (b"<metacharset=a>", []),
        (b"<META/CHARSET = 'A b' >", [b"A b"]),
        (b"<meta charset=a charset=b>", [b"a"]),
        (b"<meta charset=a><meta charset=b>", [b"a", b"b"]),
        (b"<meta content='text/html; charset=a'>", []),
        (b"<meta content='text/html; charset=a' http-equiv=Content-Type>", [b"a"]),
        (b"<meta http-equiv=refresh content='charset=a'>", []),
        (b"<meta http-equiv=content-type content='charset charset = \"a\"; x'>", [b"a"]),
        (b"<meta http-equiv=content-type content='charset=\"a'>", []),
        (b"<meta http-equiv=content-type content='charset=a' charset=b>", [b"b"]),
        (b"<!--><meta charset=a>-->", [b"a"]),
        (b"<!-- ><meta charset=a>-->", []),
        (b"<p title='<meta charset=a>'><meta charset=b>", [b"b"]),
        (b"<script>'<meta charset=a>'</script>", [b"a"]),
        (b"<?php <meta charset=a> ?><meta charset=b>", [b"b"]),
        (b"a < b <meta charset=a>", [b"a"]),
    ],
)
def test_labels_in_meta_elements(page, expected):
    assert by_kernel(page) == list(labels(page)) == expected


@pytest.mark.parametrize(
    ("page", "label"),
    [
        (b"<?xml version='1.0' encoding='a'?>", b"a"),
        (b'\n<?xml encoding = "A-1" ?>', b"A-1"),
        (b"<?xml encoding='a'", None),
        (b"<?xml encoding='a\"?>", None),
        (b"<?xml encoding=a?>", None),
        (b"<?xml encoding>='a'", None),
        (b"<?xml version='1.0'?><p encoding='a'>", None),
        (b"<p><?xml encoding='a'?>", None),
        (b"<?xml", None),
        (b"", None),
    ],
)
def test_labels_in_xml_declarations(page, label):
    assert by_kernel(page) == list(labels(page)) == ([] if label is None else [label])


def test_a_meta_element_comes_before_an_xml_declaration():
    page = b"<?xml version='1.0' encoding='koi8-r'?><meta charset=%s>"
    assert declared_inside(page % b"euc-jp", 1024) == "euc_jp"
    assert declared_inside(page % b"no-such", 1024) == "koi8-r"


@pytest.mark.parametrize(
    "piece", [b"<", b"<!--", b"<meta ", b"<p a='", b"<meta content='charset", b"charset = ", b"</"]
)
def test_hostile_pages_end(piece):
    for page in (piece * 200_000, b"<meta http-equiv=content-type content='" + piece * 200_000):
        assert by_kernel(page) == list(labels(page))


def test_the_conformance_cases_of_html5lib(shared_data):
    """All but those that need a script run. Comments of 8 KB need the late prescan, as re-parsing does in a browser."""
    cases = 0
    with tarfile.open(shared_data / "html-extraction" / "html5lib-tests" / "dat.tar.xz") as files:
        for file in files:
            if not file.isfile() or "scripted" in file.name:
                continue
            for case in files.extractfile(file).read().split(b"#data\n")[1:]:
                page, _, expected = case.partition(b"\n#encoding\n")
                label = "utf-8" if page.startswith(b"\xef\xbb\xbf") else declared_inside(page, LATE_PRESCAN)
                assert (label or "cp1252") == codec_of(expected.strip().decode()), page[:200]
                cases += 1
    assert cases > 70
