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
