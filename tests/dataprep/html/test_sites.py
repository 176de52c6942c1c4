"""A block is recognised by its text on whatever page of a site, and what carries a page stays."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.html.dom.records import BLOCKS, count_tags, room_for
from dataprep.html.dom.scan import scan, tables
from dataprep.html.selection.rules import ON_SITE
from dataprep.html.sites.repeats import LIMITS, hash_blocks, hash_urls, mark_repeated

LONG = "Sign up for our newsletter and never miss another story."


def hashed(page):
    page = np.frombuffer(page.encode(), np.uint8)
    dom = room_for(count_tags(page))
    scan(page, dom, tables())
    hash_blocks(page, dom)
    return dom


def hashes(page):
    dom = hashed(page)
    return dom.blocks["hash"][: dom.counts[BLOCKS]].tolist()


def hash_of_text(text):
    """What the kernel does, in plain Python; the text has no markup and no entities."""
    words = " ".join(re.split(r"[ \t\n\f\r\xa0]+", text.replace("\r\n", "\n"))).strip(" ")
    text = re.sub(r"[0-9]+(?:[.,][0-9]+)*", "0", words)
    if not re.search(r"[a-zA-Z\x80-\U0010ffff]", text):
        return 0
    value = 0
    for byte in text.encode():
        value = (value * 0x9E3779B97F4A7C15 + byte + 1) % 2**64
    return value


@given(st.text(st.characters(blacklist_characters="<&", blacklist_categories=["Cs"])))
def test_a_hash_is_of_the_text_with_white_space_and_numbers_made_alike(text):
    found = hashes(f"<p>x{text}</p>")
    assert found == [hash_of_text(f"x{text}")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Follow us on Twitter", " Follow  us\n on\tTwitter "),
        ("Follow us", "Follow&nbsp;us\xa0"),
        ("Follow us", "Follow&#160;us"),
        ("Follow us", "<b>Follow</b> <a href='/x'>us</a>"),
        ("Follow us", "Follow<br>us"),
        ("Page 7 of 9", "Page 1,234 of 10.5"),
        ("Last modified on 2020-05-07", "Last modified on 1999-12-31"),
    ],
)
def test_the_same_text_has_the_same_hash(one, other):
    assert hashes(f"<p>{one}</p>") == hashes(f"<div>{other}</div>")


@pytest.mark.parametrize(
    ("one", "other"),
    [("Follow us", "Follow them"), ("Followus", "Follow us"), ("a 1 2", "a 12"), ("Us", "us"), ("v 1.", "v 1")],
)
def test_another_text_has_another_hash(one, other):
    assert hashes(f"<p>{one}</p>") != hashes(f"<p>{other}</p>")


@pytest.mark.parametrize("text", ["7", "12.5 %", "- + -", "1&nbsp;2", "()"])
def test_a_block_without_letters_has_no_hash(text):
    assert hashes(f"<p>{text}</p>") == [0]


def marked(page, repeated):
    dom = hashed(page)
    mark_repeated(dom, np.array(sorted(repeated), np.uint64), LIMITS)
    return (dom.blocks["verdict"][: dom.counts[BLOCKS]] == ON_SITE).tolist()


@pytest.mark.parametrize(
    ("page", "goes"),
    [
        (f"<p>{LONG}</p>", True),
        ("<p>Share this</p>", True),
        (f"<li>{LONG}</li>", True),
        (f"<table><td>{LONG}</table>", True),
        ("<table><td>Share this</table>", False),
        ("<table><td><p>Share this</p></table>", False),
        (f"<h2>{LONG}</h2>", False),
        (f"<h4><span>{LONG}</span></h4>", False),
        ("<dl><dt>Parameters:</dl>", False),
        (f"<pre>{LONG}</pre>", False),
    ],
)
def test_what_a_site_repeats_goes_but_for_what_structures_a_page(page, goes):
    assert marked(page, hashes(page)) == [goes]


def test_other_blocks_are_left_alone():
    page = f"<p>First.</p><p>{LONG}</p><p>7</p><p>Last.</p>"
    assert marked(page, hashes(f"<p>{LONG}</p>")) == [False, True, False, False]
    assert marked(page, []) == [False] * 4


def urls(*texts):
    encoded = [text.encode() for text in texts]
    values = np.frombuffer(b"".join(encoded), np.uint8)
    return hash_urls(values, np.cumsum([0, *map(len, encoded)]))


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/other",
        "HTTP://EXAMPLE.ORG",
        "http://www.example.org/?a=b@c",
        "http://example.org:8080/x",
        "http://user:secret@example.org#top",
        "http://WWW.example.org?x://other.org",
    ],
)
def test_one_host_however_it_is_written(url):
    hosts, pages = urls("http://example.org/", url)
    assert hosts[0] == hosts[1]
    assert pages[0] != pages[1]


@pytest.mark.parametrize(
    "url",
    ["http://example.com/", "http://a.example.org/", "http://wwwexample.org/", "http://[::1]/", "http://[::2]:8/"],
)
def test_other_hosts_are_others(url):
    hosts, _ = urls("http://example.org/", url, "http://[::1]:80/")
    assert hosts[1] != hosts[0]
    assert (hosts[1] == hosts[2]) == ("::1" in url)


@pytest.mark.parametrize(
    "url", ["", "://", "notes.html", "mailto:someone@example.org", "file:///notes", "http:/x", "a:/"]
)
def test_what_names_no_host_has_none(url):
    hosts, _ = urls(url, "http://example.org/")
    assert hosts[0] == 0
    assert hosts[1] != 0


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"]))))
def test_any_text_can_stand_for_a_url(texts):
    hosts, pages = urls(*texts)
    alone = [urls(text) for text in texts]
    assert hosts.tolist() == [one[0][0] for one in alone]
    assert pages.tolist() == [one[1][0] for one in alone]
