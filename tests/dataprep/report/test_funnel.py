"""The funnel is the manifests' counts, and says what it does not know yet."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dataprep.report.funnel import load_funnel
from dataprep.report.layout import MANIFEST
from tests.dataprep.report.conftest import MadeRun


def test_the_funnel_adds_up_and_each_stage_takes_in_what_the_one_before_kept(run: MadeRun) -> None:
    funnel = load_funnel(run.out)
    assert [stage.name for stage in funnel.stages] == ["documents", "clean", "unique", "tokenizer", "shards"]
    assert funnel.recipe == "a <test> recipe"
    for stage in funnel.stages:
        assert stage.finished
        assert stage.adds_up
        assert stage.documents_in == stage.kept + stage.documents_removed + stage.documents_quarantined
    counted = [stage for stage in funnel.counted if stage.name != "documents"]
    before = funnel.stage("documents")
    assert before is not None
    for stage in counted:
        assert stage.documents_in == before.kept
        assert stage.characters_in == before.characters_kept == stage.characters_kept + stage.characters_removed
        before = stage


def test_reasons_stand_in_order_of_their_documents(run: MadeRun) -> None:
    stage = load_funnel(run.out).stage("documents")
    assert stage is not None
    assert [(reason.name, reason.documents) for reason in stage.removed] == [("not_html", 3), ("no_text", 1)]
    assert [reason.name for reason in stage.quarantined] == ["too_deep", "truncated"]


def test_a_half_finished_run_is_shown_with_the_rows_there_are(new_run: Callable[..., MadeRun]) -> None:
    run = new_run(until="clean")
    Path(run.out, "clean", MANIFEST).unlink()
    funnel = load_funnel(run.out)
    assert [(stage.name, stage.finished) for stage in funnel.stages] == [("documents", True), ("clean", False)]
    clean = funnel.stage("clean")
    assert clean is not None
    assert clean.adds_up
    assert (clean.documents_in, clean.kept, clean.documents_removed) == (200, 160, 40)


def test_a_stage_that_has_only_begun_is_shown_with_nothing(new_run: Callable[..., MadeRun]) -> None:
    run = new_run(until="documents")
    work = Path(run.out, "crawl", "_work")
    work.mkdir(parents=True)
    (work / "frontier.json").write_text("{}")
    stage = load_funnel(run.out).stage("crawl")
    assert stage is not None
    assert (stage.finished, stage.documents_in) == (False, 0)


def test_what_is_not_a_run_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{tmp_path}: not a run directory; none of crawl, documents"):
        load_funnel(str(tmp_path))
