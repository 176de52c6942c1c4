"""A host's sample is a function of its pages, not of how they come."""

import random

import numpy as np
import pyarrow as pa
import pytest

from dataprep.html.sites.repeats import LIMITS, hash_urls
from dataprep.html.sites.samples import SAMPLES, Samples, sample
from dataprep.text.utf8 import Utf8

MANY = 10_000  # tags
FEW = LIMITS._replace(pages=5)


def sampled(pages, limits=LIMITS):
    """Rows of ``SAMPLES`` of (URL, HTML) pairs."""
    hosts, keys = hashed([url for url, _ in pages])
    return sample(Utf8.of(pa.array([html for _, html in pages], pa.string())), hosts, keys, MANY, limits)


def hashed(urls):
    text = Utf8.of(pa.array(urls, pa.string()))
    return hash_urls(text.values, text.offsets)


def crawled(hosts=3, pages=20):
    """Pages of a few hosts; one URL of each was fetched twice and had changed."""
    found = [(f"http://host{h}.org/{p}", f"<p>Own {'x' * p}<p>Same") for h in range(hosts) for p in range(pages)]
    return found + [(f"http://host{h}.org/7", "<p>Changed") for h in range(hosts)]


def added(batches, limits=FEW):
    samples = Samples(limits)
    for batch in batches:
        samples.add(batch)
    return samples


def test_a_page_is_its_different_blocks():
    rows = sampled([("http://a.org/1", "<p>One<p>Two<p>One<p>7<p>A longer one.")])
    assert rows.schema == SAMPLES
    assert rows.num_rows == 1
    hashes, chars = rows.column("hashes")[0].as_py(), rows.column("chars")[0].as_py()
    assert hashes == sorted(set(hashes))
    assert sorted(chars) == [3, 3, 13]


def test_a_block_longer_than_can_be_counted_is_long():
    rows = sampled([("http://a.org/1", f"<p>{'long ' * 100_000}</p>")])
    assert rows.column("chars").to_pylist() == [[65535]]


@pytest.mark.parametrize("html", ["", "<p></p>", "7", "\0", "<script>text</script>"])
def test_a_page_without_text_tells_nothing(html):
    rows = sampled([("http://a.org/1", html), ("http://a.org/2", "<p>Text")])
    assert rows.column("page").to_pylist() == hashed(["http://a.org/2"])[1].tolist()


def test_a_list_without_end_tells_nothing():
    limits = LIMITS._replace(blocks=10)
    letters = ["abcdefghijklmnop"[:n] for n in range(1, 12)]
    pages = [("http://a.org/1", "<p>".join(letters)), ("http://a.org/2", "<p>".join(letters[:10]))]
    assert sampled(pages, limits).column("page").to_pylist() == hashed(["http://a.org/2"])[1].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_a_sample_does_not_depend_on_order_and_batches(seed):
    pages = crawled()
    expected = added([sampled(pages)]).rows()
    shuffled = random.Random(seed).sample(pages, len(pages))
    edges = sorted(random.Random(seed).sample(range(len(pages)), 6))
    batches = [sampled(shuffled[a:b]) for a, b in zip([0, *edges], [*edges, len(pages)], strict=True)]
    halves = [added(batches[:3]).rows(), added(batches[3:]).rows()]
    assert added(batches).rows() == expected
    assert added(halves).rows() == expected


def test_a_sample_has_the_pages_with_the_smallest_hashes_each_url_once():
    rows = added([sampled(crawled())]).rows()
    hosts, pages = hashed([url for url, _ in crawled()])
    expected = [(int(h), int(p)) for h in np.unique(hosts) for p in np.unique(pages[hosts == h])[:5]]
    assert list(zip(rows.column("host").to_pylist(), rows.column("page").to_pylist(), strict=True)) == expected


def test_samples_are_thinned_out_while_they_grow(monkeypatch):
    monkeypatch.setattr("dataprep.html.sites.samples.HELD_BYTES", 1000)
    samples = Samples(FEW)
    most = 0
    for start in range(0, 2000, 20):
        samples.add(sampled([(f"http://a.org/{p}", f"<p>{'x' * p}") for p in range(start, start + 20)]))
        most = max(most, sum(batch.num_rows for batch in samples._added))
    assert most < 100
    assert samples.rows().num_rows == 5


@pytest.mark.parametrize("seed", range(5))
def test_what_a_sample_does_not_want_would_not_have_changed_it(seed):
    pages = random.Random(seed).sample(crawled(), len(crawled()))
    samples = Samples(FEW)
    asked = 0
    for start in range(0, len(pages), 9):
        batch = pages[start : start + 9]
        wanted = samples.wanted(*hashed([url for url, _ in batch]))
        asked += len(wanted)
        samples.add(sampled([batch[i] for i in wanted]))
    assert samples.rows() == added([sampled(pages)]).rows()
    assert asked < len(pages)


def test_pages_without_a_host_are_not_wanted():
    wanted = Samples().wanted(*hashed(["notes.html", "http://a.org/1", "", "http://b.org/1"]))
    assert wanted.tolist() == [1, 3]


def test_nothing_gives_nothing():
    assert Samples().rows().num_rows == 0
    assert sampled([]).num_rows == 0
    assert Samples().wanted(*hashed([])).tolist() == []


def test_a_page_with_too_many_tags_is_not_read():
    urls, html = ["http://a.org/1", "http://a.org/2"], ["<p>Text" * 11, "<p>Text" * 10]
    rows = sample(Utf8.of(pa.array(html, pa.string())), *hashed(urls), most_tags=10)
    assert rows.column("page").to_pylist() == hashed(urls)[1][1:].tolist()
