"""What a site repeats is found, copies of pages do not count as repetition, and a table gives it back."""

import random
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.dedup.hashing import partition_of
from dataprep.html.dom.records import BLOCKS, count_tags, room_for
from dataprep.html.dom.scan import scan, tables
from dataprep.html.selection.phrases import phrase_table
from dataprep.html.selection.rules import ARTICLE, ON_SITE, SUM, THRESHOLDS
from dataprep.html.selection.select import select
from dataprep.html.sites.memory import TABLE, SiteMemory, repeated
from dataprep.html.sites.repeats import LIMITS, hash_blocks, hash_urls, mark_repeated
from dataprep.html.sites.samples import SAMPLES, Samples, sample
from dataprep.text.utf8 import Utf8

MANY = 10_000  # tags
NOTICE = "This site works best with cookies, which we use to know who you are."
WORDS = ["river", "stone", "harbour", "ledger", "copper", "lantern", "meadow", "cipher", "anvil", "orchard"]


def prose(seed, sentences=4):
    rng = random.Random(seed)
    return "".join(f"<p>{' '.join(rng.choices(WORDS, k=14))}, as told on day {seed}.</p>" for _ in range(sentences))


def hashed(urls):
    text = Utf8.of(pa.array(urls, pa.string()))
    return hash_urls(text.values, text.offsets)


def learned(*pages, limits=LIMITS):
    """The texts among the pages' blocks that ``a.org`` repeats, given the pages' HTML."""
    samples = Samples(limits)
    hosts, keys = hashed([f"http://a.org/{n}" for n in range(len(pages))])
    samples.add(sample(Utf8.of(pa.array(pages, pa.string())), hosts, keys, MANY, limits))
    return set(repeated(samples.rows(), limits).column("hash").to_pylist())


def hash_of(html):
    page = np.frombuffer(html.encode(), np.uint8)
    dom = room_for(count_tags(page))
    scan(page, dom, tables())
    hash_blocks(page, dom)
    (found,) = dom.blocks["hash"][: dom.counts[BLOCKS]].tolist()
    return found


def test_what_is_on_a_third_of_the_pages_is_repeated():
    with_notice = [prose(n) + f"<p>{NOTICE}</p>" for n in range(3)]
    assert learned(*with_notice, *(prose(n) for n in range(3, 10))) == {hash_of(NOTICE)}
    assert learned(*with_notice, *(prose(n) for n in range(3, 11))) == set()
    assert learned(*with_notice[:2]) == set()


def test_a_short_text_must_be_on_nearly_all_pages():
    with_label = [prose(n) + "<p>Parameters:</p>" for n in range(8)]
    assert learned(*with_label) == {hash_of("Parameters:")}
    assert learned(*with_label, prose(8)) == set()


def test_a_copied_page_does_not_repeat_itself():
    assert learned(*[prose(1)] * 10) == set()
    assert learned(*[prose(1)] * 10, *(prose(n) for n in range(2, 8))) == set()
    assert learned(*[prose(1)] * 5, *[prose(2)] * 5) == set()


def test_copies_do_not_hide_what_is_repeated():
    pages = [prose(n) + f"<p>{NOTICE}</p>" for n in range(8)]
    assert learned(*[pages[0]] * 3, *[pages[1]] * 3, *pages) == {hash_of(NOTICE)}


def test_near_copies_do_not_make_their_text_repeated():
    """Nine of ten pages are one page, but for a line on each."""
    near = [prose(1, sentences=12) + f"<p>Seen by {WORDS[n]}</p>" for n in range(9)]
    assert learned(*near, prose(2)) == set()


def test_a_mirror_counts_once():
    """Two pages in many copies: what both have is on two pages, not on twelve."""
    pages = [prose(n) + f"<p>{NOTICE}</p>" for n in range(2)]
    others = [prose(n) for n in range(2, 30)]
    assert learned(*[pages[0]] * 6, *[pages[1]] * 6, *others) == set()


def test_hosts_do_not_share_a_memory():
    urls = [f"http://{host}.org/{n}" for host in "ab" for n in range(5)]
    pages = [prose(n) + (f"<p>{NOTICE}</p>" if n < 5 else "") for n in range(10)]
    samples = Samples()
    samples.add(sample(Utf8.of(pa.array(pages, pa.string())), *hashed(urls), MANY))
    table = repeated(samples.rows())
    assert table.schema == TABLE
    assert table.to_pylist() == [{"host": int(hashed(urls)[0][0]), "hash": hash_of(NOTICE)}]


def in_plain_python(pages, limits):
    """(host, hash) pairs repeated among pages, each (host, {hash: chars}), in the order of the sample."""
    found = []
    for host in sorted({host for host, _ in pages}):
        mine = [blocks for other, blocks in pages if other == host]
        on = Counter(hashed for blocks in mine for hashed in blocks)
        least = limits.least
        shared = {h for h, n in on.items() if n >= least and n >= limits.share * len(mine)}
        seen, counted = [], []
        for blocks in mine:
            own = {h for h in blocks if h not in shared}
            of_own = sum(blocks[h] for h in own)
            of_shared = sum(chars for h, chars in blocks.items() if h in shared and chars >= limits.chars)
            if of_own > 0 and of_own >= limits.own * (of_own + of_shared) and own not in seen:
                seen.append(own)
                counted.append(blocks)
        for hashed in sorted(on):
            longest = max(blocks.get(hashed, 0) for blocks in mine)
            n = sum(hashed in blocks for blocks in counted)
            share = limits.share if longest >= limits.chars else limits.short
            if n >= least and n >= share * len(counted):
                found.append((host, hashed))
    return found


BLOCK_SETS = st.dictionaries(st.integers(1, 12), st.integers(0, 90), max_size=8)


@given(st.lists(st.tuples(st.integers(1, 3), BLOCK_SETS), max_size=40), st.sampled_from([0.1, 0.5]))
def test_the_kernel_counts_as_plain_python_does(pages, own):
    limits = LIMITS._replace(own=own)
    pages = sorted(pages, key=lambda page: page[0])
    rows = [
        {"host": host, "page": n, "digest": n, "hashes": sorted(blocks), "chars": [blocks[h] for h in sorted(blocks)]}
        for n, (host, blocks) in enumerate(pages)
    ]
    table = repeated(pa.RecordBatch.from_pylist(rows, SAMPLES), limits)
    found = list(zip(table.column("host").to_pylist(), table.column("hash").to_pylist(), strict=True))
    assert found == in_plain_python(pages, limits)


@pytest.mark.parametrize("partitions", [1, 3])
def test_a_memory_gives_back_what_was_written(tmp_path, partitions):
    hosts, _ = hashed([f"http://host{n}.org/" for n in range(20)])
    known = {int(host): [10 * n + k for k in range(n)] for n, host in enumerate(hosts[:15])}
    rows = [{"host": host, "hash": value} for host, values in sorted(known.items()) for value in values]
    memory = SiteMemory(str(tmp_path), partitions)
    table = pa.RecordBatch.from_pylist(rows, TABLE)
    partition = partition_of(table.column("host").to_numpy(), partitions)
    for number in np.unique(partition).tolist():
        memory.write(number, table.filter(pa.array(partition == number)))
    asked = np.concatenate([hosts[::-1], hosts[:3], np.zeros(1, np.uint64)])
    found = SiteMemory(str(tmp_path), partitions).of(asked)
    for page, host in enumerate(asked.tolist()):
        assert found.hashes[found.starts[page] : found.ends[page]].tolist() == known.get(host, [])
    assert len(memory.of(hosts[:0]).hashes) == 0


def kept(html, known):
    page = np.frombuffer(html.encode(), np.uint8)
    dom = room_for(count_tags(page))
    scan(page, dom, tables())
    hash_blocks(page, dom)
    mark_repeated(dom, np.array(sorted(known), np.uint64), LIMITS)
    select(page, dom, tables().traits, phrase_table(), THRESHOLDS, np.zeros(len(dom.blocks) + 1, SUM), ARTICLE)
    return [int(verdict) for verdict in dom.blocks["verdict"][: dom.counts[BLOCKS]]]


def test_a_page_without_what_its_site_repeats_keeps_its_text_and_its_headings():
    pages = [
        f"<h2>Description</h2>{prose(n, 2)}<p>{NOTICE}</p><h2>Parameters</h2>{prose(100 + n, 2)}<p>{NOTICE}</p>"
        for n in range(6)
    ]
    known = learned(*pages)
    assert known >= {hash_of(NOTICE), hash_of("Description")}
    assert kept(pages[0], known) == [0, 0, 0, ON_SITE, 0, 0, 0, ON_SITE]
    assert kept(pages[0], set()) == [0] * 8


def test_what_is_repeated_stays_out_when_a_page_is_read_again():
    page = f"<p>{NOTICE}</p><p>{'One short line of text, but a sentence. ' * 2}</p>"
    verdicts = kept(page, {hash_of(NOTICE)})
    assert verdicts == [ON_SITE, 0]


def test_what_was_cut_off_without_a_memory_is_cut_off_with_one():
    """The sidebar holds much of what is left of the page once the notice is taken out of it."""
    page = f"<div><p>{NOTICE * 9}</p>{prose(1, 3)}</div><div class=sidebar>{prose(2, 2)}</div>"
    without, with_memory = kept(page, set()), kept(page, {hash_of(NOTICE * 9)})
    assert (without[0], with_memory[0]) == (0, ON_SITE)
    assert without[1:4] == with_memory[1:4] == [0, 0, 0]
    assert without[4:] == with_memory[4:]
    assert all(without[4:])
