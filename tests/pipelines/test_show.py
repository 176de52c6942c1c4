"""What the command line prints about a run: every figure, no markup or control character of a document, whole paths."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from dataprep import storage
from pipelines import show, show_shards
from pipelines.progress import Display
from tests.dataprep.report.conftest import MadeRun, group, make_run, write_vocabulary


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> MadeRun:
    """A whole run; tests do not change it."""
    return make_run(tmp_path_factory.mktemp("run"))


def screen(width: int = 80) -> Console:
    return Console(file=io.StringIO(), width=width)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_summary_holds_every_reason_and_paths_that_can_be_copied(run: MadeRun) -> None:
    console = screen()
    show.summary(console, run.out)
    lines = [line.split() for line in printed(console).splitlines()]
    assert ["gopher_quality.too_short", "-14", "7.0%"] in [line[:3] for line in lines]
    assert ["quarantined:", "truncated", "-1", "0.5%"] in lines
    narrow = screen(30)
    show.summary(narrow, run.out)
    assert f"{run.out}/tokenizer/tokenizer.json" in printed(narrow)


def test_the_statistics_hold_every_source_and_checksum(run: MadeRun) -> None:
    console, again = screen(), screen()
    show_shards.statistics(console, run.out)
    show_shards.statistics(again, f"{run.out}/shards")
    text = printed(console)
    assert text == printed(again)
    for words in ("books", "web", "257 (largest id used 256)", "uint16", "web/train-00000.arrow"):
        assert words in text


def test_documents_are_shown_without_obeying_them(run: MadeRun) -> None:
    console = screen()
    show.inspect(console, run.out, "clean", "kept", limit=1000)
    text = printed(console)
    assert "␛[31mred␇ ⟨202E⟩" in text
    assert not {character for character in text if ord(character) < 0x20} - {"\n"}


def test_wrong_options_are_answered_with_what_is_allowed(run: MadeRun) -> None:
    with pytest.raises(ValueError, match="--stage shards: allowed are documents, clean, unique"):
        show.inspect(screen(), run.out, "shards")
    with pytest.raises(ValueError, match="--verdict lost: allowed are kept, removed, quarantined, all"):
        show.inspect(screen(), run.out, "clean", "lost")
    with pytest.raises(ValueError, match="--reason nonsense: "):
        show.inspect(screen(), run.out, reason="nonsense")


def test_damage_is_printed_with_its_file(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", count=40)
    console = screen(200)
    assert show_shards.verify(console, run.out)
    shard = Path(run.out, "shards", "web", "train-00000.arrow")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    assert not show_shards.verify(console, run.out)
    assert f"damaged  {shard}" in printed(console)


def test_what_is_not_there_is_said_in_one_line(run: MadeRun, tmp_path: Path) -> None:
    console = screen(200)
    show.inspect(console, run.out, "clean", "quarantined")
    assert printed(console).strip() == f"no quarantined documents in {run.out}/clean"
    for command in (show.summary, show_shards.statistics, show_shards.verify, show.inspect):
        with pytest.raises(ValueError, match="not a run directory"):
            command(console, str(tmp_path))


def test_a_stage_that_has_not_run_is_said_with_one_that_has(tmp_path: Path) -> None:
    storage.write_bytes(f"{tmp_path}/documents/kept/part-00000.parquet", b"")
    with pytest.raises(ValueError, match=r": the clean stage of this run has not run; --stage documents shows what"):
        show.inspect(screen(), str(tmp_path), "clean")


def test_shards_that_are_not_finished_are_neither_counted_nor_called_damaged(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", count=40)
    (tmp_path / "run" / "shards" / "manifest.json").unlink()
    console = screen(200)
    assert not show_shards.verify(console, run.out)
    assert "damaged" in printed(console)
    (tmp_path / "run" / "shards" / "_stage.json").unlink()
    for command in (show_shards.statistics, show_shards.verify):
        with pytest.raises(ValueError, match="the shards stage of this run is not finished"):
            command(console, run.out)


def test_the_statistics_say_what_the_tokenizer_makes_of_each_language(tmp_path: Path) -> None:
    made = make_run(tmp_path)
    write_vocabulary(made.out, [group("web", "sw", 100, 80), group("web\x1b[31m", "en", 1_000, 200)])
    console = screen(200)
    show_shards.statistics(console, made.out)
    text = printed(console)
    for words in ("web␛[31m", "5.000", "1.250", "64 (25.0%)", "' <script>'", "<|endoftext|> 0"):
        assert words in text
    assert "web/train-00000.arrow" in text


def test_what_a_stage_notes_is_said_when_it_is_done(tmp_path: Path) -> None:
    counts = {"documents_in": 2, "kept": 2, "removed": {}, "quarantined": {}}
    extra = {"notes": ["[bold]mine.json[/bold] is encoded by tokenizers, which is slow"]}
    storage.write_json(f"{tmp_path}/tokenizer/_stage.json", {"counts": counts, "extra": extra})
    console = screen(200)
    Display(console, str(tmp_path)).event({"event": "done", "stage": "tokenizer"})
    assert "note: [bold]mine.json[/bold] is encoded by tokenizers, which is slow" in printed(console)
