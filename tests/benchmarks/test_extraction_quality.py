"""The quality command from end to end."""

import sys

from benchmarks.extraction import quality


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["quality", *map(str, arguments)])
    quality.main()
    return capsys.readouterr().out


def cells(output, engine):
    row = next(line for line in output.splitlines() if line.startswith(f"| {engine} "))
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_a_second_run_takes_the_others_from_the_cache_and_scores_the_same(monkeypatch, capsys, shared_data, tmp_path):
    common = ("--set", "languages", "--engine", "resiliparse", "--data", shared_data, "--cache", tmp_path / "cache")
    first = cells(run(monkeypatch, capsys, *common), "resiliparse")
    second = cells(run(monkeypatch, capsys, *common), "resiliparse")
    assert 0 < float(first[1]) < 1
    assert second[:-1] == first[:-1]
    assert second[-1] == first[-1] + "*"


def test_the_halves_together_are_the_set(monkeypatch, capsys, shared_data, tmp_path):
    common = ("--set", "languages", "--engine", "resiliparse", "--data", shared_data, "--cache", tmp_path)
    pages = [int(run(monkeypatch, capsys, *common, half).split()[1]) for half in ("--dev", "--held")]
    assert sum(pages) == 7
    assert all(pages)


def test_worst_pages_come_first_and_say_what_is_surplus(monkeypatch, capsys, shared_data, tmp_path):
    common = ("--set", "languages", "--engine", "resiliparse", "--data", shared_data, "--cache", tmp_path)
    output = run(monkeypatch, capsys, *common, "--worst", 2, "--write", tmp_path / "pages")
    f1 = [float(line.split()[1]) for line in output.splitlines() if line.startswith("  resiliparse ")]
    assert len(f1) == 2
    assert f1[0] <= f1[1] < 1
    assert "\n  + " in output
    assert len(list((tmp_path / "pages" / "languages").glob("*/resiliparse.txt"))) == 7
