"""Depth is what nests, not how many tags there are."""

import pytest

from dataprep.html.others.nesting import too_deep


@pytest.mark.parametrize(
    ("page", "deep"),
    [
        (b"<div>" * 101, True),
        (b"<div>" * 100, False),
        (b"<DIV class='a'>" * 101 + b"</div>" * 101, True),
        (b"<div></div>" * 5000, False),
        (b"<p>" * 5000, False),
        (b"<ul>" + b"<li>item <br>" * 5000, False),
        (b"<img src='x'>" * 5000, False),
        (b"</div>" * 500 + b"<div>" * 99, False),
        (b"<my-element>" * 101, True),
        (b"<g/>" * 500, False),
        (b"a < b " * 500, False),
        (b"", False),
    ],
)
def test_only_open_elements_count(page, deep):
    assert (too_deep(page, 100) is not None) == deep
