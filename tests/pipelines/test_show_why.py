"""What the command line says about one document: every number that decided it, on eighty columns, obeying nothing."""

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dataprep.document import document_id
from pipelines import show_why
from tests.dataprep.report.cleaning import write_clean, write_documents
from tests.dataprep.report.conftest import HOSTILE_URL, MadeRun, make_run
from tests.pipelines.chain import one_line
from tests.pipelines.test_show import printed, screen


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> MadeRun:
    """A whole run; tests do not change it."""
    return make_run(tmp_path_factory.mktemp("run"))


def rows(folder, *columns):
    parts = [pq.read_table(path, columns=list(columns)) for path in sorted(folder.glob("*.parquet"))]
    return [row for part in parts for row in part.to_pylist()]


def test_a_removed_document_shows_every_rule_with_its_value_and_which_decided(finished):
    (first, *_) = rows(finished / "clean" / "removed", "id", "rejected_by", "gopher.words", "repetition.dup_line_frac")
    console = screen()
    show_why.why(console, str(finished), identifier=first["id"].hex())
    lines = [line.split() for line in printed(console).splitlines()]
    decided = [line for line in lines if "▶" in line and line[-1] == first["rejected_by"]]
    assert len(decided) == 1
    assert ["clean", "removed:", first["rejected_by"]] in lines
    unmarked = [[cell for cell in line if cell not in "✗▶"] for line in lines]
    assert ["words", f"{first['gopher.words']:,}", "<", "50", "gopher_quality.short_doc"] in unmarked
    assert max(map(len, printed(console).splitlines())) <= 80


def test_a_copy_shows_what_was_kept_instead_and_how_like_it_is(finished):
    copy = next(
        row for row in rows(finished / "unique" / "removed", "id", "duplicate_of", "component", "similarity", "measure")
    )
    console = screen()
    show_why.why(console, str(finished), identifier=copy["id"].hex())
    lines = [line.split() for line in printed(console).splitlines()]
    assert ["kept", "instead", copy["duplicate_of"].hex()] in lines
    assert ["component", str(copy["component"])] in lines
    assert [
        "similarity",
        f"{copy['similarity']:.3f}",
        copy["measure"],
        *["(a", "near", "copy", "has", "at", "least", "0.8)"],
    ] in lines
    again = screen()
    show_why.why(again, str(finished), identifier=copy["duplicate_of"].hex())
    assert f"   {copy['id'].hex()} {copy['similarity']:.3f} " in printed(again)


def test_a_near_copy_is_compared_line_by_line_with_what_was_kept(finished):
    copies = rows(finished / "unique" / "removed", "id", "rejected_by")
    near = next(row for row in copies if row["rejected_by"] == "near_duplicate")
    console = screen()
    show_why.why(console, str(finished), identifier=near["id"].hex())
    _, shown = printed(console).split("that copy's text (-) and this one's (+):")
    signs = {line.split()[0] for line in shown.splitlines() if line.startswith("   ") and line.split()}
    assert "@" in signs
    assert signs & {"-", "+"}


def test_a_kept_page_is_told_from_its_record_to_its_tokens(finished):
    every = rows(finished / "unique" / "kept", "id", "url", "locator", "source")
    kept = next(row for row in every if row["source"] == "site")
    console = screen(120)
    show_why.why(console, str(finished), url=kept["url"].replace("http://", "https://") + "/")
    text = printed(console)
    for words in (
        kept["locator"],
        "HTML by corpusmill",
        "documents   kept",
        "clean       kept",
        "unique      kept",
        ".arrow, document ",
    ):
        assert words in text
    assert "▶" not in text


def test_documents_that_share_a_url_are_listed(tmp_path):
    write_documents(tmp_path, ["one", "two", "elsewhere"])
    write_clean(tmp_path, rules=[{"reject": "none", "when": "fineweb.lines", "below": 0}])
    console = screen()
    show_why.why(console, str(tmp_path), url="https://example.org/0")
    text = printed(console)
    assert text.startswith("2 documents have this URL; --id tells the story of one:")
    for number in (0, 1):
        assert f"{document_id('s', f'file:{number}').hex()}  clean: kept" in text
    assert document_id("s", "file:2").hex() not in text


def test_a_document_is_shown_without_obeying_it(run):
    console = screen()
    show_why.why(console, run.out, identifier=run.ids["hostile"][0])
    show_why.why(console, run.out, url=HOSTILE_URL)
    text = printed(console)
    assert "␛[31mred␇ ⟨202E⟩" in text
    assert not {character for character in text if ord(character) < 0x20} - {"\n"}


def test_one_of_url_and_id_is_needed(run):
    for both in ({}, {"url": "http://x", "identifier": "ab"}):
        with pytest.raises(ValueError, match="why needs one of --url and --id"):
            show_why.why(screen(), run.out, **both)


def test_a_url_that_is_nowhere_is_said_in_one_line(run):
    command = [sys.executable, "-m", "pipelines.cli", "why", run.out, "--url", "http://nowhere.example"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[2])
    one_line(result, "--url http://nowhere.example", "no document", run.out)
