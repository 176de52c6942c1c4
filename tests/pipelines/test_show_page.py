"""What the command line says about one page of a run or a file: its blocks, and in one line why there are none."""

import io
import os
import shutil
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from pipelines import cli
from pipelines.show_page import page
from tests.dataprep.html.test_pages import WORDS
from tests.dataprep.sources.warcs import member, record
from tests.pipelines.test_documents import files, run
from tests.pipelines.test_show import printed, screen

ARTICLE = f"<nav><a href=/>Home</a></nav><main class=post-content><p>{WORDS * 3}</p><p>Read more</p></main>"
HOSTILE = "<p class='\x1b[31m'>[red]no markup[/red] \u202e and \x9b no control character obeyed, in a sentence.</p>"
URLS = ("http://a.example/", "http://b.example/", "http://b.example/", "http://c.example/", "http://d.example/")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run over an archive, two files and rows; tests do not change it or what it read."""
    folder = tmp_path_factory.mktemp("made")
    html = ARTICLE.encode()
    bodies = [html, html, html.replace(b"ordinary", b"other"), b"plain", html]
    kinds = [{}, {}, {}, {"fields": {"Content-Type": "text/plain"}}, {"status": "404 Not Found"}]
    records = [record(body=body, url=url, **kind) for body, url, kind in zip(bodies, URLS, kinds, strict=True)]
    (folder / "a.warc.gz").write_bytes(b"".join(member(one) for one in records[:3]) + member(b"".join(records[3:])))
    (folder / "b.warc").write_bytes(b"".join(records[:3]))
    (folder / "page.html").write_text(
        f"<html lang=de><title>Käse</title>{ARTICLE}{HOSTILE}", "latin-1", "xmlcharrefreplace"
    )
    (folder / "rows.jsonl").write_text('{"text": "A row", "url": "http://row.example/"}\n')
    paths = (
        files(name, folder / f"{name}{suffix}")
        for name, suffix in (("a", ".warc.gz"), ("page", ".html"), ("rows", ".jsonl"))
    )
    run(folder / "out", *paths)
    run(folder / "plain", files("b", folder / "b.warc"))
    return folder


def documents(out, verdict="kept"):
    return pq.read_table(out / "documents" / verdict).to_pylist()


def told(out, wanted, *overrides, width=200):
    console = screen(width)
    page(console, None if out is None else str(out), str(wanted), overrides)
    return printed(console)


def lines(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_page_is_found_by_url_locator_or_id_and_told_block_by_block(made):
    (row,) = (one for one in documents(made / "out") if one["url"] == "http://a.example/")
    by_url, by_locator, by_id = (told(made / "out", key) for key in (row["url"], row["locator"], row["id"].hex()[:12]))
    assert by_url == by_locator == by_id == told(made / "out", "https://a.example")
    found = lines(by_url)
    assert f"document {row['id'].hex()} kept" in found
    assert f"locator {row['locator']}" in found
    assert "charset utf-8 by header" in found
    assert "container main(main).post-content(body, main)" in found
    assert "cut off: nav(nav): nav, holds 0% of the page's running text, cut off with up to 70%" in found
    assert "1 nav Home nav(nav) · 4 characters · all in links" in found
    assert "3 phrase Read more ″ · 9 characters" in found
    assert any(line.startswith("2 kept An ordinary sentence about nothing") for line in found)
    assert "note:" not in by_url


def test_uncompressed_archives_are_read_at_the_records_place(made):
    for row in documents(made / "plain"):
        assert f"{row['id'].hex()} kept" in told(made / "plain", row["locator"])


def test_documents_that_share_a_url_are_named(made):
    ids = sorted(one["id"].hex() for one in documents(made / "out") if one["url"] == "http://b.example/")
    text = " ".join(lines(told(made / "out", "http://b.example/", width=200)))
    assert f"{ids[0]} kept (the first of 2; others: {ids[1]})" in text


def test_a_file_needs_no_run_and_fields_of_extract_can_be_set(made):
    text = told(None, made / "page.html")
    assert {"title Käse", "language de"} <= set(lines(text))
    assert any(line.startswith("profile article: the rules for articles keep ") for line in lines(text))
    assert "profile page, as set" in lines(told(None, made / "page.html", "extract.profile=page"))
    assert "failed too_large: the page has" in " ".join(lines(told(None, made / "page.html", "extract.page_bytes=9")))


def test_a_page_is_shown_without_obeying_it_on_any_width(made):
    for width in (40, 80):
        text = told(None, made / "page.html", width=width)
        assert max(map(len, text.splitlines())) <= width
        assert "[red]no" in text
        assert not {character for character in text if ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0} - {"\n"}
        assert "\u202e" not in text


def test_a_pipe_has_no_colours_and_a_terminal_has_both(made):
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system="standard")
    page(console, None, str(made / "page.html"), ())
    assert {"\x1b[32mkept", "\x1b[33mnav"} <= {
        piece.split("\x1b[0m")[0].strip() for piece in printed(console).split(" ")
    }
    assert "\x1b" not in told(None, made / "page.html")


def test_what_has_no_blocks_is_said(made):
    locators = {
        one["url"]: one["locator"] for verdict in ("kept", "removed") for one in documents(made / "out", verdict)
    }
    for wanted, words in (
        ("http://row.example/", "is a text in a jsonl file; only HTML pages have blocks"),
        ("http://c.example/", "is plain text, of which all is kept; only HTML pages have blocks"),
        ("http://d.example/", "was removed as http_status, before anything was extracted"),
    ):
        with pytest.raises(ValueError, match=f"^{locators[wanted].replace('+', '[+]')}: {words}$"):
            told(made / "out", wanted)
    for wanted in ("http://nowhere.example/", "nowhere.html", "abc123", ""):
        with pytest.raises(ValueError, match=f"^--page {wanted}: no document in .* has this URL, locator or id; a loc"):
            told(made / "out", wanted)
    with pytest.raises(ValueError, match=r"^--page in/page\.html: no document .*; a locator here is page\.html$"):
        told(made / "out", "in/page.html")
    with pytest.raises(ValueError, match=r"/nowhere: not a run directory; none of crawl, documents, "):
        told(made / "nowhere", "page.html")
    with pytest.raises(ValueError, match=r"resiliparse does not say .*; --set extract\.engine=corpusmill shows"):
        told(made / "out", "http://a.example/", "extract.engine=resiliparse")
    with pytest.raises(ValueError, match=r"--set clean.rules=\[\]: must be a field of extract, as in"):
        told(made / "out", "http://a.example/", "clean.rules=[]")
    with pytest.raises(ValueError, match=r"^extract.profile: 'prose': input should be 'auto', 'article' or 'page'$"):
        told(None, made / "page.html", "extract.profile=prose")
    with pytest.raises(ValueError, match=r"--page .*b.warc: is not one page"):
        told(None, made / "b.warc")
    with pytest.raises(ValueError, match=r"--page http://x: is no file; the page of a run needs the run's directory"):
        told(None, "http://x")


def test_what_is_no_page_is_refused_in_a_line(tmp_path):
    for name, data, words in (
        ("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 99, "is neither HTML nor plain text"),
        ("notes.md", b"# Notes", "is plain text, of which all is kept; only HTML pages have blocks"),
        ("empty.html", b"", "is empty"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=f"^--page .*{name}: {words}$"):
            told(None, tmp_path / name)


def test_the_text_alone_is_the_text_that_a_run_keeps(made):
    (row,) = (one for one in documents(made / "out") if one["url"] == "http://a.example/")
    console = screen(40)
    assert page(console, str(made / "out"), row["url"], (), only_text=True)
    assert console.file.getvalue() == row["text"] + "\n"
    console = screen(40)
    assert page(console, None, str(made / "page.html"), ("extract.profile=page",), True)
    assert "\n\n[red]no markup[/red] \u202e and" in console.file.getvalue()


def test_a_page_that_failed_is_told_and_the_command_fails(made, monkeypatch, capsys):
    where = str(made / "page.html")
    monkeypatch.setattr(sys, "argv", ["dataprep", "inspect", "--page", where, "--set", "extract.page_bytes=9"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "too_large: the page has" in capsys.readouterr().out


def test_a_source_that_is_gone_or_has_changed_is_said(made, tmp_path):
    shutil.copy(made / "a.warc.gz", tmp_path)
    (tmp_path / "pages").mkdir()
    shutil.copy(made / "page.html", tmp_path / "pages")
    (tmp_path / "pages" / "other.html").write_text(ARTICLE)
    run(tmp_path / "out", files("a", tmp_path / "a.warc.gz"), files("page", tmp_path / "pages"))
    (tmp_path / "pages" / "page.html").write_text(
        "<p>Something else entirely, but long enough to be the text of this page.</p>"
    )
    assert "note: the run kept another text" in told(tmp_path / "out", "page.html")
    (tmp_path / "a.warc.gz").write_bytes(b"".join(member(record(url=f"http://{i}/")) for i in range(9)))
    with pytest.raises(
        ValueError, match=r"a\.warc\.gz: has changed since the run; a\.warc\.gz#\d+ is not there any more"
    ):
        told(tmp_path / "out", "http://b.example/")
    os.remove(tmp_path / "pages" / "page.html")
    with pytest.raises(ValueError, match=r"^page.html: the file is gone; source page reads "):
        told(tmp_path / "out", "page.html")
    os.remove(tmp_path / "a.warc.gz")
    with pytest.raises(ValueError, match=r"^sources.a.files.paths: .*a.warc.gz' does not exist"):
        told(tmp_path / "out", "http://b.example/")
    os.remove(tmp_path / "out" / "documents" / "_stage.json")
    with pytest.raises(ValueError, match="the documents stage of this run is not finished"):
        told(tmp_path / "out", "http://b.example/")


def test_every_real_page_of_a_run_is_told_with_the_text_it_has(shared_data, tmp_path):
    archive = shared_data / "warc" / "files" / "allenai__dolma__sample-0000.warc.gz"
    run(tmp_path, files("web", archive))
    rows = [
        one for one in documents(tmp_path) if one["metadata"] and dict(one["metadata"])["content_type"] == "text/html"
    ]
    for row in rows[:: len(rows) // 10]:
        text = told(tmp_path, row["locator"], width=5000)
        assert "note:" not in text
        kept = sum(line.split()[1:2] == ["kept"] for line in text.splitlines())
        assert kept == row["html.blocks_kept"]


def test_the_command_reads_standard_input():
    command = [sys.executable, "-m", "pipelines.cli", "inspect", "--page", "-"]
    wide = {**os.environ, "COLUMNS": "200"}
    shown = subprocess.run(command, input=ARTICLE, capture_output=True, text=True, timeout=300, env=wide)
    assert shown.returncode == 0
    assert "file -" in lines(shown.stdout)
    assert "1 nav Home nav(nav) · 4 characters · all in links" in lines(shown.stdout)
    assert "\x1b" not in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--page", "/no/such/page.html"], "--page /no/such/page.html: no such file"),
        (["--page", "-", "--limit", "5"], "--limit: is not for --page, which shows one page"),
        ([], "inspect needs the directory of a run, or --page FILE"),
        (["out", "--set", "extract.profile=page"], "--set extract.profile=page: is for --page"),
        (["out", "--text"], "--text: is for --page"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(monkeypatch, capsys, arguments, message):
    monkeypatch.setattr(sys, "argv", ["dataprep", "inspect", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"error: {message}\n"
