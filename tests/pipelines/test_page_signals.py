"""What extraction measured of a page goes through every later stage, decides where a rule says so, and is shown."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataprep.clean.settings import CleanSettings
from dataprep.document import EXTRACTED, PAGE_SIGNALS, BatchBuilder
from dataprep.parts import PartWriter
from dataprep.report.decide import decide_again
from dataprep.report.distributions import signal_histograms
from dataprep.report.html import render
from dataprep.report.inspect import sample
from dataprep.report.measured import load_measured
from dataprep.report.rulechange import change_rules
from pipelines import show, show_why
from tests.dataprep.report.cleaning import write_clean
from tests.pipelines.test_show import printed, screen
from tests.pipelines.test_unique import run_stage

PAGES = 30
RULES = [
    {"reject": "little_kept", "when": "html.kept", "below": 0.2},
    {"reject": "few_blocks", "when": "html.blocks_kept", "at_most": 2},
    {"reject": "whole", "when": "html.profile", "one_of": ["whole"]},
]


def write_pages(out: Path) -> None:
    """Part 0: pages, each of which kept one thirtieth more of its text. Part 1: documents that were no HTML."""
    numbers = np.arange(PAGES)
    signals = {
        "html.profile": ["whole" if number == 29 else "article" for number in numbers],
        "html.characters": numbers * 100 + 1000,
        "html.kept": numbers / PAGES,
        "html.links": numbers / (2 * PAGES),
        "html.blocks": numbers + 10,
        "html.blocks_kept": numbers % 10 + 2,
    }
    for part in range(2):
        builder = BatchBuilder("s")
        for number in numbers:
            builder.add(
                f"Words of text, and number {number + PAGES * part} is what makes it another.", f"{part}:{number}"
            )
        columns = [
            pa.nulls(PAGES, field.type) if part else pa.array(signals[field.name], field.type) for field in PAGE_SIGNALS
        ]
        batch = pa.RecordBatch.from_arrays([*builder.finish().columns, *columns], schema=EXTRACTED)
        with PartWriter(str(out / "documents" / "kept" / f"part-{part:05d}.parquet"), EXTRACTED) as writer:
            writer.write(batch)


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pages")
    write_pages(out)
    write_clean(out, rules=RULES)
    return out


def table(folder: Path) -> pa.Table:
    return pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("*.parquet"))])


def test_rules_compare_what_was_measured_of_pages_without_any_step_and_fire_on_no_other_document(cleaned: Path) -> None:
    removed = table(cleaned / "clean" / "removed").to_pylist()
    reasons = {row["locator"]: row["rejected_by"] for row in removed}
    expected = {
        f"0:{number}": "little_kept" if number < 6 else "few_blocks" if number % 10 == 0 else "whole"
        for number in range(PAGES)
        if number < 6 or number % 10 == 0 or number == 29
    }
    assert reasons == expected


def test_every_later_part_has_the_columns_and_what_was_no_page_has_nulls(cleaned: Path) -> None:
    tally, _, _ = run_stage(cleaned)
    assert tally.kept == 2 * PAGES - 9
    for stage, side in (("clean", "kept"), ("clean", "removed"), ("unique", "kept")):
        found = table(cleaned / stage / side)
        assert found.schema.names[: len(EXTRACTED)] == EXTRACTED.names
        for row in found.select(["locator", *PAGE_SIGNALS.names]).to_pylist():
            part, number = map(int, row.pop("locator").split(":"))
            assert all((value is None) == (part == 1) for value in row.values())
            assert part == 1 or row["html.kept"] == number / PAGES
    empty = pq.read_schema(cleaned / "clean" / "removed" / "part-00001.parquet")
    assert empty == pq.read_schema(cleaned / "clean" / "removed" / "part-00000.parquet")


def test_thresholds_on_pages_can_be_decided_again(cleaned: Path) -> None:
    measured = load_measured(str(cleaned))
    other = change_rules(measured.rules, ["little_kept=0.5", "whole=off"])
    again = decide_again(str(cleaned), measured, other)
    assert again.funnel(1)["little_kept"].documents == 15
    assert {move.document.locator for move in again.kept_again} == {"0:29"}


def test_the_report_and_the_command_line_show_them(cleaned: Path) -> None:
    drawn = {one.name: one for one in signal_histograms(str(cleaned))}
    numeric = [field.name for field in PAGE_SIGNALS if field.type != pa.string()]
    assert set(numeric) <= set(drawn)
    assert drawn["html.kept"].kept.sum() + drawn["html.kept"].removed.sum() == PAGES
    assert all(name in render(str(cleaned)) for name in numeric)
    (one,) = (one for one in sample(str(cleaned), limit=99) if one.locator == "0:10")
    console = screen(120)
    show_why.why(console, str(cleaned), identifier=one.id)
    lines = [line.split() for line in printed(console).splitlines()]
    assert ["extraction:", "html.*"] in lines
    assert ["blocks_kept", "2", "▶", "≤", "2", "few_blocks"] in lines
    assert ["characters", "2,000"] in lines
    console = screen(200)
    show.inspect(console, str(cleaned), "clean", "removed", limit=99)
    assert "blocks 20, blocks_kept 2, characters 2,000, kept 0.333" in printed(console)


def test_a_signal_of_pages_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(ValueError, match=r"no step measures 'html.keep'.*did you mean .*html\.kept") as error:
        CleanSettings.model_validate({"rules": [{"reject": "x", "when": "html.keep", "below": 1}]})
    assert "html.blocks_kept" in str(error.value)
