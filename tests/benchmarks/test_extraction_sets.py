"""The annotated pages: which they are, what their truth is, and how sites are dealt out."""

import pytest

from benchmarks.extraction.sets import FOLDS, Page, folds, html_text, load, site_of


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://www.news.example.co.uk:8080/a?b", "example.co.uk"),
        ("https://web.archive.org/web/20140226054445/http://www.time4talks.com/2013/", "time4talks.com"),
        ("https://web.archive.org/web/20130307194448/the-pain.net/2008/05/x.html", "the-pain.net"),
        ("https://someone.blogspot.com/2012/", "someone.blogspot.com"),
    ],
)
def test_a_site_is_the_registrable_domain_of_the_page_itself(url, site):
    assert site_of(url) == site


def test_text_of_a_fragment_breaks_at_blocks_and_nowhere_else():
    html = "<div>One<p>two <b>th</b>r<!-- -->ee\n four</p><p>five<br>six</p><script>x</script><td>7</td>8</div>"
    assert html_text(html) == "One\ntwo three four\nfive\nsix\n7\n8"
    assert html_text(" ") == ""


def test_folds_hold_every_page_once_and_a_site_whole():
    pages = [Page(str(i), f"site{i % 17}.org", None, b"", "") for i in range(60)]
    dealt = folds(pages)
    assert sorted(i for fold in dealt for i in fold) == list(range(60))
    for site in {page.site for page in pages}:
        assert sum(any(pages[i].site == site for i in fold) for fold in dealt) == 1
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 4
    assert len(dealt) == FOLDS


def test_halves_split_sites_not_pages():
    pages = [Page(str(i), f"site{i % 40}.org", None, b"", "") for i in range(80)]
    held = {page.site for page in pages if page.held}
    assert not held & {page.site for page in pages if not page.held}
    assert 10 <= len(held) <= 30


@pytest.mark.parametrize(
    ("name", "pages"),
    [("zyte", 83), ("trafilatura", 507), ("newspaper", 117), ("languages", 7), ("readability", 68)],
)
def test_a_set_has_its_pages_each_with_a_truth_and_a_site(shared_data, name, pages):
    loaded = load(name, shared_data / "html-extraction")
    assert len(loaded) == pages
    assert len({page.name for page in loaded}) == pages
    assert all(page.truth and page.html and page.site for page in loaded)


def test_the_real_pages_of_readability_are_the_large_ones(shared_data):
    real = load("readability-real", shared_data / "html-extraction")
    assert len(real) == 53
    assert min(len(page.html) for page in real) > 20_000
