"""One page told block by block: the kernel's verdicts, the document's text, the elements that were cut off."""

import gzip
import tarfile

import pyarrow as pa
import pytest

from dataprep.html.dom.automaton import CATEGORIES
from dataprep.html.explain import explain
from dataprep.html.pages import PAGES, sample_pages
from dataprep.html.selection.rules import REASONS
from dataprep.html.settings import ExtractSettings
from dataprep.html.sites.memory import SiteMemory, repeated
from dataprep.html.sites.samples import Samples
from tests.dataprep.html.test_pages import HOSTILE, WORDS

PAGE = f"""<!DOCTYPE html><title>The page</title>
<div id=top class="wide menu-bar"><ul><li><a href=/>Home</a><li><a href=/b>Blog</a></ul></div>
<main class="outer"><article class="post entry-content tall">
<h1>A title</h1>
<p>{WORDS} <span class="share big">Tell a friend</span> And so it ends.</p>
<div style="display: none">{WORDS}</div>
<h2>A heading</h2>
<pre>one
  two</pre>
<p>{WORDS}</p>
<aside>{WORDS}</aside>
<p>Read more</p>
</article></main>
<x-footer><p>All rights reserved</p></x-footer>
<div role="navigation search"><p>Next</p></div>
""".encode()


def names(element):
    """As a selector, each word with its categories."""
    return "".join(
        f"{word.text}({' '.join(word.categories)})" if word.categories else word.text for word in element.words
    )


def path(element):
    found = []
    while element:
        found.append(names(element))
        element = element.parent
    return " < ".join(found)


def glued(text):
    return "".join(text.split())


def test_a_page_is_told_as_it_is():
    told = explain(PAGE, None, None, ExtractSettings())
    text = WORDS.strip()
    assert [(block.number, block.reason, block.text) for block in told.blocks] == [
        (1, "nav", "- Home"),
        (2, "nav", "- Blog"),
        (3, "title", "A title"),
        (4, "", f"{text} And so it ends."),
        (5, "invisible", text),
        (6, "", "A heading"),
        (7, "", "one\n  two"),
        (8, "", text),
        (9, "side", text),
        (10, "phrase", "Read more"),
        (11, "footer", "All rights reserved"),
        (12, "nav", "Next"),
    ]
    home, _, title, first, hidden, _, _, _, aside, _, footer, following = told.blocks
    assert names(home.cut.element) == "div#top.wide.menu-bar(nav)"
    assert (home.cut.share, home.cut.limit) == (0, 0.7)
    assert (home.characters, home.links, home.marks, home.without) == (4, 1, 0, ())
    assert path(title.element) == "h1 < article(main).post(main).entry-content(body main).tall < main(main).outer"
    assert told.container is title.element.parent
    assert [(names(cut.element), cut.reason) for cut in first.without] == [("span.share(share).big", "share")]
    assert first.marks == 3
    assert hidden.cut.limit == 1
    assert 0.1 < aside.cut.share <= aside.cut.limit == 0.3
    assert names(footer.cut.element) == "x-footer(footer)"
    assert names(following.cut.element) == "div[role=navigation](nav)[role=search](login)"
    assert not told.gentle
    assert told.page["html.profile"] == "article"


def test_which_rules_read_a_page_is_told_with_the_numbers():
    lost = (
        "<ul>" + f"<li><a href=x>{WORDS}</a> {WORDS}" * 9 + "</ul><p>Not very much is kept of this by the others.</p>"
    )
    as_page = explain(lost.encode(), None, None, ExtractSettings())
    assert as_page.page["html.profile"] == "page"
    assert as_page.container is None
    assert as_page.choice.kept < 500
    assert as_page.choice.lost > 0.5
    manual = "".join(f"<dt>name_{k}<dd>{WORDS}" for k in range(9))
    as_reference = explain((f"<p>{WORDS}</p>" * 3 + f"<dl>{manual}</dl>").encode(), None, None, ExtractSettings())
    assert as_reference.choice.reference > 0.5
    as_set = explain(lost.encode(), None, None, ExtractSettings(profile="article"))
    assert as_set.choice == as_page.choice
    assert as_set.page["html.profile"] == "article"
    tags = f"<div class=tags><p>{WORDS}</p></div><div class=tags><p>{WORDS}</p></div>" * 2
    again = explain(tags.encode(), None, None, ExtractSettings(profile="article"))
    assert again.gentle
    assert [block.reason for block in again.blocks] == [""] * 4


def test_kept_blocks_are_the_documents_text_on_real_pages(shared_data):
    folder = shared_data / "html-extraction"
    pages = [gzip.decompress(path.read_bytes()) for path in sorted((folder / "zyte" / "html").glob("*.html.gz"))]
    with tarfile.open(folder / "trafilatura" / "html.tar.xz") as archive:
        while len(pages) < 200:
            member = archive.next()
            if member.isfile():
                pages.append(archive.extractfile(member).read())
    for number, payload in enumerate(pages):
        told = explain(payload, None, None, ExtractSettings(format="markdown" if number % 2 else "plain"))
        page, blocks = told.page, told.blocks
        kept = [block for block in blocks if not block.reason]
        assert glued("".join(block.text for block in kept)) == glued(page["text"]), number
        assert (len(blocks), len(kept)) == (page["html.blocks"], page["html.blocks_kept"])
        assert sum(block.characters for block in kept) == round(page["html.kept"] * max(page["html.characters"], 1))
        assert [block.number for block in blocks] == list(range(1, len(blocks) + 1))
        for block in blocks:
            assert block.reason in REASONS
            assert (block.cut is not None) == (block.reason in (*CATEGORIES, "invisible"))
            assert 0 <= block.links <= 1
            for cut in (*block.without, *([block.cut] if block.cut else ())):
                assert 0 <= cut.share <= cut.limit
                assert cut.reason == "invisible" or any(cut.reason in word.categories for word in cut.element.words)


def test_a_page_that_fails_has_its_reason_and_no_blocks():
    told = explain(b"<p>" * 50, None, None, ExtractSettings(page_bytes=100))
    assert told.page["reason"] == "too_large"
    assert (told.blocks, told.choice, told.container) == ((), None, None)


@pytest.mark.parametrize("payload", [*HOSTILE, b"text outside all elements", b"<div" * 3000, b"<p class='" * 999])
def test_hostile_pages_are_told_too(payload):
    told = explain(payload, "no such charset", None, ExtractSettings())
    kept = "".join(block.text for block in told.blocks if not block.reason)
    assert glued(kept) == glued(told.page["text"])


def test_what_the_site_repeats_is_told_as_the_extraction_leaves_it_out(tmp_path):
    """On pages whose profile, container and cuts all depend on what is left."""
    notice = "All of this was written by volunteers, who ask you to support them with what you can."
    url, settings = "http://a.example/b", ExtractSettings(site_memory=True)
    pages = (
        f"<p>{notice}</p><main><p>{WORDS}</p></main>",
        f"<nav><p>{notice}</p></nav><p>Short.</p>",
        f"<p>{notice}",
        f"<p>{notice}</p>" * 9 + f"<main><p>{WORDS}</p><p>{WORDS}</p></main><aside><p>{WORDS}</p></aside>",
    )
    seen = pa.RecordBatch.from_pylist(
        [
            {"payload": f"<p>{notice}</p><p>{WORDS} {word}".encode(), "charset": None, "url": f"{url}/{word}"}
            for word in ("river", "stone", "meadow", "anvil")
        ],
        schema=PAGES,
    )
    samples = Samples()
    sample_pages(seen, settings, samples)
    memory = SiteMemory(str(tmp_path), 1)
    memory.write(0, repeated(samples.rows()))
    for page in pages:
        told = explain(page.encode(), None, url, settings, memory)
        assert {block.reason for block in told.blocks if block.text == notice} == {"repeated_on_site"}
        assert all(block.cut for block in told.blocks if block.reason in CATEGORIES)
        kept = [block.text for block in told.blocks if not block.reason]
        assert glued("".join(kept)) == glued(told.page["text"])
        assert told.page["html.blocks_kept"] == len(kept)
        elsewhere = explain(page.encode(), None, "http://b.example/", settings, memory)
        assert elsewhere == explain(page.encode(), None, "http://b.example/", settings)


def test_a_block_is_shown_in_the_format_that_is_asked_for():
    page = f"<h2>A heading</h2><p>{WORDS}<b>Bold</b>".encode()
    texts = [block.text for block in explain(page, None, None, ExtractSettings(format="markdown")).blocks]
    assert texts == ["## A heading", f"{WORDS}**Bold**"]


def test_other_engines_do_not_tell():
    with pytest.raises(ValueError, match=r"^extract\.engine: resiliparse does not say .*; --set extract.engine=c"):
        explain(PAGE, None, None, ExtractSettings(engine="resiliparse"))
