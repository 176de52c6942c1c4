"""The archives benchmark from end to end, on two pages."""

import sys

from benchmarks import archives


def test_every_part_of_the_stage_is_timed(tmp_path, monkeypatch, capsys):
    for name in ("a", "b"):
        (tmp_path / f"{name}.html").write_text("<p>The river rises in the hills and reaches the sea. " * 20)
    monkeypatch.setattr(sys, "argv", ["archives", "--times", "1", "--repeat", "1", str(tmp_path)])
    archives.main()
    first, *rows = capsys.readouterr().out.splitlines()
    assert first.startswith("2 pages of 1 kB")
    assert [row.split("  ")[0] for row in rows] == [
        "records read and inflated", "HTTP undone, items made", "pages extracted (corpusmill)", "columns put together",
        "counted, Parquet written", "all of the stage", "all but the extraction", "FastWARC, reading",
        "resiliparse, extracting",
    ]  # fmt: skip
    assert all(row.endswith(" MB/s") for row in rows)
