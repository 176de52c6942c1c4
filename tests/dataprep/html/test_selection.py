"""What the selection must not lose, and what it must not take for the text, page by page."""

from dataprep.html.explain import explain
from dataprep.html.settings import ExtractSettings

GOOD = "A sentence, long enough to be good text of an article, stands here."
PROSE = f"<p>{GOOD} One.</p><p>{GOOD} Two.</p><p>{GOOD} Three.</p>"


def lines(body, profile="auto"):
    """The lines of a page's text, without those of PROSE."""
    page = f"<!DOCTYPE html><html><body>{body}</body></html>".encode()
    text = explain(page, None, None, ExtractSettings(profile=profile)).page["text"]
    return [line for line in text.split("\n") if line and not line.startswith(GOOD)]


def article(body):
    return lines(f"<main><article><h1>A title</h1>{PROSE}{body}{PROSE}</article></main>")


def test_nothing_in_code_is_cut_off_for_its_name():
    for name in ("token comment", "token tag", "hljs-comment", "hljs-meta", "hljs-tag", "cm-comment", "btn-label"):
        assert article(f"<pre><code>x = 1 <span class='{name}'># why</span>\ny</code></pre>") == ["x = 1 # why", "y"]
        assert article(f"<pre><span class='{name}'># why</span></pre>") == ["# why"]
        assert article(f"<p>Call <code class='{name}'>run()</code> once.</p>") == ["Call run() once."]


def test_what_is_hidden_in_code_is_cut_off():
    assert article("<pre>x<div style='display:none'>copied</div></pre>") == ["x"]


def test_words_within_a_sentence_are_not_cut_off_for_their_name():
    said = "The <span class=share>market share</span> rose, it was said on <span class=nav-x>Monday</span>."
    assert article(f"<p>{said}</p>") == ["The market share rose, it was said on Monday."]


def test_between_sentences_and_at_their_ends_names_count():
    between = f"<p>Here it begins. <span class=share>Tell a friend</span> {GOOD.lower()}</p>"
    assert article(between) == [f"Here it begins. {GOOD.lower()}"]
    assert article(f"<p>Here it ends, {GOOD.lower()} <span class=share>Tell a friend</span></p>") == [
        f"Here it ends, {GOOD.lower()}"
    ]


def test_words_for_screen_readers_are_cut_off_within_a_sentence():
    said = "Ask <a href=/x>us</a><span class=sr-only> in a new window</span> whenever you wish to know more of this."
    assert article(f"<p>{said}</p>") == ["Ask us whenever you wish to know more of this."]


def ending(body):
    return lines(f"<main><article><h1>A title</h1>{PROSE}{body}</article></main>")


def test_an_article_may_end_in_anything():
    assert ending("<h2>Install</h2><pre>pip install x</pre>") == ["Install", "pip install x"]
    assert ending("<h2>Parts</h2><ul><li>flour<li>salt</ul>") == ["Parts", "- flour", "- salt"]
    assert ending("<table><tr><td>Weight<td>12 kg</table>") == ["Weight | 12 kg"]
    assert ending("<p>And so<p>to bed<p>“Yes”") == ["And so", "to bed", "“Yes”"]


def test_scraps_without_markup_at_the_end_go():
    assert ending("<div>37 views</div>") == []


def test_a_heading_with_nothing_after_it_goes():
    assert ending("<h2>More of this</h2><div class=related-posts><p>Another</div>") == []


def test_terms_stay_with_their_definitions():
    terms = "<dl><dt>alpha<dd>First short meaning here.<dt>beta<dd>Another.</dl>"
    assert ending(terms) == ["alpha", "  First short meaning here.", "beta", "  Another."]
    linked = "<dl><dt><a href=/a>alpha</a><dd>First short meaning here.<dt><a href=/b>beta</a><dd>Another.</dl>"
    assert ending(linked) == ["alpha", "  First short meaning here.", "beta", "  Another."]


def test_a_term_outside_the_text_stays_with_its_definition():
    aside = f"<dl><dt><a href=/f>f</a>(x)<dd>{GOOD[:-1]} again.</dl>"
    page = f"<article><div>{PROSE * 4}</div><div>{aside}</div></article>"
    assert [line for line in lines(page) if line == "f(x)"] == ["f(x)"]


def test_a_row_of_a_table_stays_whole_whatever_is_linked():
    rows = "".join(
        f"<tr><td>{i}<td><a href=/{i}>Country {i}</a><td>1000<td><a href=/c{i}>Capital {i}</a>" for i in (1, 2)
    )
    assert article(f"<table>{rows}</table>") == ["1 | Country 1 | 1000 | Capital 1", "2 | Country 2 | 1000 | Capital 2"]
    files = "<tr><td><a href=/f>foo.tar.gz</a><td>12<tr><td><a href=/g>goo.tar.gz</a><td>13"
    assert article(f"<table>{files}</table>") == ["foo.tar.gz | 12", "goo.tar.gz | 13"]


def test_a_cell_is_not_cut_off_for_its_name():
    row = "<tr><td class=author>Orwell<td class=date>1984<tr><td class=author><a href=/h>Huxley</a><td class=date>1932"
    assert article(f"<table>{row}</table>") == ["Orwell | 1984", "Huxley | 1932"]


def test_a_cell_that_lays_out_the_page_is_cut_off_for_its_name():
    page = f"<table><tr><td class=sidebar><p>All about us<p>More<td>{PROSE}<td class=nav>Home</table>"
    assert lines(page) == []


def test_a_table_or_list_of_links_goes_whole():
    cells = "<tr>" + "".join(f"<td><a href=/{i}>Page {i}</a>" for i in range(6))
    assert article(f"<table>{cells}</table>") == []
    assert article(f"<ul>{cells.replace('td', 'li')}</ul>") == []


def test_items_that_are_links_stay_in_their_list():
    people = "<li><a href=/a>Person A</a><li><a href=/b>Person B</a><li>Person C, who has no page of his own"
    assert article(f"<ul>{people}</ul>") == [
        "- Person A", "- Person B", "- Person C, who has no page of his own"
    ]  # fmt: skip


def test_only_the_title_among_the_first_headings_goes():
    p = f"<p>{GOOD}</p>"
    assert lines(f"<main><h1>Guide</h1>{p}<h1>Install</h1>{p}<h1>Usage</h1>{p}</main>") == ["Install", "Usage"]


def test_a_linked_heading_stays_with_its_section():
    for section in ("<pre>a line</pre>", "<ul><li>an item</ul>", f"<p>{GOOD}"):
        assert article(f"<h2><a href=/s>Section</a></h2>{section}")[0] == "Section"
    assert article("<h2><a href=/s>Section</a></h2><p>a teaser") == ["a teaser"]


def test_what_would_be_a_button_is_an_item_in_a_list():
    steps = "<li>Share<li>next<li>Read more"
    assert article(f"<ol>{steps}</ol>") == ["1. Share", "2. next", "3. Read more"]
    assert article("<p>Read more") == []


COOKIES = f"<p>We use cookies on this page, and so do all of our partners. {GOOD}</p>"
CONTACT = "<main><h1>Contact</h1><p>Call us: 555 1234.</p><p>Open 9 to 5.</p></main>"


def test_a_banner_does_not_become_the_text_of_a_short_page():
    for banner in ("div class=cookie-banner", "footer", "noscript", "div role=dialog", "div class=login-modal"):
        text = lines(f"{CONTACT}<{banner}>{COOKIES}</{banner.split()[0]}>")
        assert text[-2:] == ["Call us: 555 1234.", "Open 9 to 5."], banner


def test_a_banner_does_not_stay_beside_a_short_article():
    assert lines(f"<main><p>{GOOD}</p></main><div class=cookie-banner>{COOKIES}</div>") == []


def test_what_wraps_the_whole_page_is_not_cut_off_for_its_name():
    for name in ("overlay", "cookie-consent-page", "login"):
        assert lines(f"<nav><a href=/>Home</a></nav><div class={name}><h1>Contact</h1>{COOKIES}</div>")


def test_a_page_that_is_hidden_until_a_script_has_run_is_read():
    for hidden in ("display:none", "visibility: hidden"):
        page = f"<html><body style='{hidden}'><nav>Home</nav><p>Short, but it is all there is.</p></body></html>"
        assert explain(page.encode(), None, None, ExtractSettings()).page["text"].endswith("all there is.")
        wrapped = explain(f"<p>Loading<div style='{hidden}'>{PROSE}</div>".encode(), None, None, ExtractSettings())
        assert GOOD in wrapped.page["text"]


def test_an_error_message_that_is_hidden_stays_hidden():
    assert (
        lines("<div id=root></div><div style='display:none'><p>An error occurred. Please load the page again.</div>")
        == []
    )
    assert article(f"<div hidden>{COOKIES * 9}</div>") == []


def test_reference_pages_keep_all_their_sections():
    members = "".join(f"<dt>f{i}(x)<dd>Returns the value {i}." for i in range(9))
    sections = "".join(
        f"<table><tr><td>{name}<td><dl>{members}</dl></table>" for name in ("Functions", "Classes", "Data")
    )
    table = f"<table><tr><td>Text<td><dl><dt>g<dd>{GOOD * 9}</dl></table>"
    assert [line.split(" |")[0] for line in lines(sections + table) if line[0] in "FCDT"] == [
        "Functions", "Classes", "Data", "Text",
    ]  # fmt: skip


def test_what_a_player_shows_without_a_player_is_no_text():
    for tag in ("video", "audio", "canvas"):
        assert article(f"<p>Before</p><{tag} src=x><p>Your browser does not support this.</p></{tag}>") == ["Before"]


def test_a_template_ends_where_its_end_tag_is():
    for inner in ("<p>row", "<tr><td>row", "<div><table><td>row", "<ul><li>row"):
        assert article(f"<template>{inner}</template><p>After") == ["After"]
