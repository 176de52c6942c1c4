"""The passages stage on real Beam runners: same bytes however the work is divided, every edit with its cause."""

import random
from functools import partial

import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from dataprep import storage
from dataprep.document import BatchBuilder, document_id
from dataprep.parts import PartWriter
from dataprep.passages import _reference
from dataprep.passages.settings import PassageSettings
from dataprep.recipe import RecipeError, parse_recipe
from dataprep.report.html import render
from pipelines import show_why
from pipelines.local import in_process_runner, worker_runner
from pipelines.passages import PassagesStage
from tests.pipelines.chain import STAGES, drive, run_alone
from tests.pipelines.corpus import recipe as small_recipe
from tests.pipelines.test_show import printed, screen

WORDS = [f"word{i}" for i in range(300)]
MENU = "Home | About us | Contact the editors"
SIGNED = "  -- signed by the whole editorial staff"
NOTICE = "This text may be copied\nby anyone who likes, for ever."
RULES = {"lines": 3, "paragraphs": 2, "characters": 10, "substring_tokens": 20}


class ManyPartitions(PassagesStage):
    partition_bytes = 24 << 10


class ThroughTheEngine(ManyPartitions):
    def __init__(self, recipe, out):
        super().__init__(recipe, out, "beam")


def prose(seed, words=60):
    chosen = random.Random(seed).choices(WORDS, k=words)
    return "\n".join(" ".join(chosen[i : i + 12]) + "." for i in range(0, words, 12))


def corpus():
    """(locator, text): menus in every page, a notice in some, quotations of each other, a text of one word, no text."""
    found = {}
    for page in range(24):
        quoted = " ".join(prose(page // 3).split()[5:40])
        body = f'{prose(100 + page)}\n{SIGNED}\n\nSomeone wrote: "{quoted}" That is all, {page}.'
        notice = f"\n\n{NOTICE.upper() if page % 2 else NOTICE}" if page % 4 == 0 else ""
        found[f"page/{page:02d}"] = f"{MENU}\n\n{body}{notice}\n"
    found |= {
        "only/menu": MENU,
        "only/notice": f"\n{NOTICE}\n",
        "one/word": "buffalo " * 100,
        "two/word": "Buffalo, " * 80,
    }
    found |= {"empty/a": "", "empty/b": " \n", "empty/c": "+ -\n\n* * *"}
    return sorted(found.items())


def write_corpus(out, documents, parts):
    for part in range(parts):
        builder = BatchBuilder("test")
        for locator, text in documents[part::parts]:
            builder.add(text, locator)
        batch = builder.finish()
        with PartWriter(f"{out}/unique/kept/part-{part:05d}.parquet", batch.schema) as writer:
            half = batch.num_rows // 2
            writer.write(batch.slice(0, half))
            writer.write(batch.slice(half))


def run_stage(out, runner=None, stage_class=PassagesStage, interrupt_after=99, **settings):
    source = {"name": "test", "files": {"paths": ["x"]}}
    recipe = parse_recipe({"name": "test", "sources": [source], "passages": {**RULES, **settings}})
    return run_alone(stage_class(recipe, str(out)), runner, interrupt_after)[:2]


def rows(out, side):
    return [
        row
        for file in storage.list_files(f"{out}/passages/{side}", ".parquet")
        for row in pq.read_table(file.path).to_pylist()
    ]


def directory(out):
    files = storage.list_files(f"{out}/passages", recursive=True)
    names = [(f.path.removeprefix(str(out)), f.path) for f in files]
    return {name: storage.read_bytes(path) for name, path in names if "/_" not in name}


def outcome(out):
    """What became of every document, whatever file it is in."""
    edits = sorted(tuple(str(value) for value in row.values()) for row in rows(out, "edits"))
    return {side: {row["locator"]: row["text"] for row in rows(out, side)} for side in ("kept", "removed")}, edits


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    out = tmp_path_factory.mktemp("expected")
    write_corpus(out, corpus(), 5)
    tally, extra = run_stage(out)
    return {"out": out, "tally": tally, "extra": extra, "bytes": directory(out)}


def test_what_goes_is_what_the_plain_statement_says(expected):
    texts = {document_id("test", locator): text for locator, text in corpus()}
    wanted = _reference.edits(texts, PassageSettings(**RULES))
    found = {key: [] for key in texts}
    for row in rows(expected["out"], "edits"):
        found[row["id"]].append(
            _reference.Edit(*(row[name] for name in ("start", "end", "reason", "occurrences", "kept_in")))
        )
    assert found == wanted
    assert {edit.reason for edits in wanted.values() for edit in edits} == {
        "repeated_line",
        "repeated_paragraph",
        "repeated_passage",
    }
    kept = {row["id"]: row["text"] for row in rows(expected["out"], "kept")}
    for key, text in kept.items():
        assert text == _reference.without(texts[key], wanted[key])


def test_a_text_can_be_put_together_again_from_its_edits(expected):
    edits = {}
    for row in rows(expected["out"], "edits"):
        edits.setdefault(row["id"], []).append(row)
    texts = dict(corpus())
    for row in rows(expected["out"], "kept"):
        text = row["text"]
        for edit in edits.get(row["id"], []):
            text = text[: edit["start"]] + edit["text"] + text[edit["start"] :]
        assert text == texts[row["locator"]]


def test_documents_of_which_no_word_is_left_go_whole_and_those_without_words_stay(expected):
    removed = {row["locator"]: row for row in rows(expected["out"], "removed")}
    kept = {row["locator"] for row in rows(expected["out"], "kept")}
    assert {row["rejected_by"] for row in removed.values()} == {"nothing_left"}
    assert removed
    assert all(row["text"] == dict(corpus())[locator] for locator, row in removed.items())
    assert {"empty/a", "empty/b", "empty/c"} <= kept
    assert len({"one/word", "two/word"} & kept) == 1


def test_one_copy_of_everything_repeated_stays(expected):
    left = "\n".join(row["text"] for row in rows(expected["out"], "kept"))
    assert left.count(MENU) == left.count(SIGNED.strip()) == 1
    assert left.lower().count(NOTICE.lower()) == 1
    for quoted in range(8):
        assert left.count(" ".join(prose(quoted).split()[5:40])) == 1


def test_counts_and_the_most_repeated_are_in_the_manifest(expected):
    tally, extra = expected["tally"], expected["extra"]
    edits = rows(expected["out"], "edits")
    assert tally.documents_in == len(corpus())
    assert tally.removed["nothing_left"][0] == len(rows(expected["out"], "removed"))
    assert extra["documents_edited"] == len({row["id"] for row in edits})
    for reason, number in extra["edits"].items():
        assert number == sum(row["reason"] == reason for row in edits)
        lengths = [row["end"] - row["start"] for row in edits if row["reason"] == reason]
        assert extra["characters_edited"][reason] == sum(lengths)
    most = extra["most_repeated"]
    menu = max((one for one in most if one["reason"] == "repeated_paragraph"), key=lambda one: one["occurrences"])
    assert (menu["text"], menu["occurrences"]) == (MENU, 25)
    assert all(one["kept_in"] in {document_id("test", locator).hex() for locator, _ in corpus()} for one in most)


@pytest.mark.parametrize("kind", ["files", "beam"])
@pytest.mark.parametrize("repeat", [1, 2])
def test_many_partitions_and_bundles_run_twice_give_the_same_bytes(tmp_path, expected, kind, repeat):
    write_corpus(tmp_path, corpus(), 5)
    runner = partial(in_process_runner, bundle_repeat=repeat)
    run_stage(tmp_path, runner(), ManyPartitions if kind == "files" else ThroughTheEngine)
    assert directory(tmp_path) == expected["bytes"]


@pytest.mark.parametrize("workers", [1, 4])
def test_worker_processes_give_the_same_bytes(tmp_path, expected, workers):
    write_corpus(tmp_path, corpus(), 5)
    run_stage(tmp_path, worker_runner(workers, PipelineOptions([]), str(tmp_path / "log")))
    assert directory(tmp_path) == expected["bytes"]


@pytest.mark.parametrize("parts", [1, 3, 9])
def test_what_is_left_does_not_depend_on_the_order_or_number_of_files(tmp_path, expected, parts):
    documents = corpus()
    random.Random(parts).shuffle(documents)
    write_corpus(tmp_path, documents, parts)
    _, extra = run_stage(tmp_path, stage_class=ManyPartitions)
    assert outcome(tmp_path) == outcome(expected["out"])
    assert extra == expected["extra"]


def test_parts_that_share_a_partition_on_the_way_back_give_the_same_bytes(tmp_path, expected, monkeypatch):
    monkeypatch.setattr("pipelines.shuffle.PART_GROUPS", 2)
    write_corpus(tmp_path, corpus(), 5)
    run_stage(tmp_path)
    assert directory(tmp_path) == expected["bytes"]


def test_a_run_cut_short_continues_to_the_same_bytes(tmp_path, expected):
    write_corpus(tmp_path, corpus(), 5)
    for whole in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            run_stage(tmp_path, stage_class=ManyPartitions, interrupt_after=whole)
        receipts = storage.list_files(f"{tmp_path}/passages/_receipts", ".json", recursive=True)
        for file in receipts[-12::2]:
            storage.remove_file(file.path)
    run_stage(tmp_path, stage_class=ManyPartitions)
    assert directory(tmp_path) == expected["bytes"]


def test_verdicts_that_were_lost_fail_the_stage(tmp_path):
    write_corpus(tmp_path, corpus(), 5)
    run_stage(tmp_path)
    verdicts = storage.list_files(f"{tmp_path}/passages/_work/verdicts", ".arrow")
    for file in [verdicts[0], *storage.list_files(f"{tmp_path}/passages/_receipts/write", ".json")]:
        storage.remove_file(file.path)
    with pytest.raises(RuntimeError, match=r"stage passages: \d+ lines, paragraphs and stretches are to go, \d+ went"):
        run_stage(tmp_path)


def test_a_corpus_that_repeats_nothing_passes_through(tmp_path):
    write_corpus(tmp_path, [("a", prose(1)), ("b", prose(2))], 2)
    tally, extra = run_stage(tmp_path)
    assert (tally.kept, extra["documents_edited"], extra["most_repeated"]) == (2, 0, [])
    assert rows(tmp_path, "edits") == []
    for part in range(2):
        before, after = (pq.read_table(f"{tmp_path}/{s}/kept/part-0000{part}.parquet") for s in ("unique", "passages"))
        assert after.equals(before)


@pytest.mark.parametrize(("kept", "left"), [("first", 1), ("none", 0)])
def test_of_lines_one_or_none_stays(tmp_path, kept, left):
    write_corpus(tmp_path, corpus(), 2)
    run_stage(tmp_path, keep=kept, substring_tokens=None)
    assert sum(row["text"].count(MENU) for row in rows(tmp_path, "kept")) == left
    assert {row["kept_in"] is None for row in rows(tmp_path, "edits")} == {kept == "none"}


def test_the_chain_reads_what_the_stage_left_and_forgets_it_when_it_is_switched_off(library, finished, tmp_path):
    value = small_recipe(library)
    ran, _ = drive(value | {"passages": {}}, tmp_path)
    assert ran == [*STAGES[: STAGES.index("tokenizer")], "passages", *STAGES[STAGES.index("tokenizer") :]]
    counts = {name: storage.read_json(f"{tmp_path}/{name}/_stage.json")["counts"] for name in ("passages", "tokenizer")}
    before = storage.read_json(f"{finished}/tokenizer/_stage.json")["counts"]
    assert counts["tokenizer"]["characters_in"] == counts["passages"]["characters_kept"] < before["characters_in"]
    edit = rows(tmp_path, "edits")[0]
    console = screen()
    show_why.why(console, str(tmp_path), identifier=edit["id"].hex())
    assert f"  characters {edit['start']:,} to {edit['end']:,}: {edit['reason']}" in printed(console)
    assert f"times in the corpus, stays in {edit['kept_in'].hex()}" in " ".join(printed(console).split())
    most = storage.read_json(f"{tmp_path}/passages/_stage.json")["extra"]["most_repeated"]
    page = render(str(tmp_path))
    assert "<h2>Repeated passages</h2>" in page
    assert all(f'<span class="mono">{one["reason"]}</span>' in page for one in most)
    ran, _ = drive(value, tmp_path)
    assert ran == ["tokenizer", "shards"]
    assert not (tmp_path / "passages").exists()


def test_settings_that_cannot_work_are_refused_by_name():
    base = {"name": "test", "sources": [{"name": "test", "files": {"paths": ["x"]}}]}
    nothing = {"lines": None, "paragraphs": None, "substring_tokens": None}
    with pytest.raises(RecipeError, match="passages: one of lines, paragraphs and substring_tokens must be a number"):
        parse_recipe(base | {"passages": nothing})
    with pytest.raises(RecipeError, match=r"passages.substring_tokens: 5: .*greater than or equal to 8"):
        parse_recipe(base | {"passages": {"substring_tokens": 5}})
