"""The tokenizer's chapter says what the stage wrote, and what a token holds stays text."""

from collections.abc import Callable

from dataprep.report.html import render
from dataprep.report.vocabulary import GROUPS_SHOWN, load_vocabulary
from tests.dataprep.report.conftest import MadeRun, group, write_vocabulary


def test_a_run_without_figures_has_no_chapter(run: MadeRun) -> None:
    assert load_vocabulary(run.out) is None
    assert "<h2>Tokenizer</h2>" not in render(run.out)


def test_the_chapter_has_every_group_and_the_tokens(new_run: Callable[..., MadeRun]) -> None:
    made = new_run()
    write_vocabulary(made.out, [group("web", "sw", 100, 80), group("web", "en", 1_000, 200)])
    page = render(made.out)
    for words in ("<h2>Tokenizer</h2>", "<td>sw</td>", "1.25", "5.00", "3.93", "64 (25.0%)", "1,234"):
        assert words in page
    assert "&#x27;        &#x27;" in page
    assert "&#x27; &lt;script&gt;&#x27;" in page
    assert "&lt;|endoftext|&gt; 0, &lt;|user|&gt; 1" in page
    assert page.index("<td>en</td>") < page.index("<td>sw</td>")


def test_many_groups_are_summed_up(new_run: Callable[..., MadeRun]) -> None:
    made = new_run()
    write_vocabulary(made.out, [group("web", f"l{index}", 1_000 - index, 100) for index in range(GROUPS_SHOWN + 3)])
    figures = load_vocabulary(made.out)
    assert figures
    assert len(figures.groups) == GROUPS_SHOWN + 1
    assert figures.groups[-1].name == ("3 more", "")
    assert figures.groups[-1].tokens == 300
    assert figures.total.bytes == sum(one.bytes for one in figures.groups)
