"""The unique stage on real Beam runners: same survivors and same bytes, however the work is divided."""

import gzip
import json
import random
from functools import partial
from itertools import count

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from dataprep import storage
from dataprep.dedup import _reference
from dataprep.dedup.settings import DedupSettings
from dataprep.dedup.sidecar import Signatures
from dataprep.document import BatchBuilder, document_id
from dataprep.parts import PartWriter
from dataprep.recipe import parse_recipe
from pipelines.local import in_process_runner, worker_runner
from pipelines.unique import UniqueStage
from tests.pipelines.chain import run_alone

SENTENCES = [
    f"sentence number {i} speaks about {i * 7919 % 1000} apples and {i * 104729 % 997} pears" for i in range(60)
]

ROAD = [f"mile {i} of the road has {i * 7919 % 1009} trees and {i * 31 % 101} birds on it" for i in range(100)]


class ManyPartitions(UniqueStage):
    partition_bytes = 2048


class ThroughTheEngine(ManyPartitions):
    def __init__(self, recipe, out):
        super().__init__(recipe, out, "beam")


def document(seed, changed=0):
    """Forty sentences of a fixed choice, some of them replaced."""
    chosen = random.Random(seed).sample(SENTENCES, 40)
    for i in range(changed):
        chosen[i * 3] = f"edit {seed} {i} made this line another one altogether"
    return ".\n".join(chosen)


def corpus():
    """(locator, text): families of near duplicates, a chain, exact copies, short texts, documents of their own."""
    found = {f"chain/{link:02d}": ".\n".join(ROAD[2 * link : 2 * link + 40]) for link in range(24)}
    for family in range(12):
        for member in range(family % 4 + 1):
            found[f"family-{family}/{member}"] = document(family, 0) + f"\nThe end, {member}."
        found[f"family-{family}/far"] = document(family, 13)
    for copy in range(4):
        found[f"exact/{copy}"] = "  " * copy + document(99).replace("\n", "\n" * (copy + 1))
    found |= {"short/a": "Hello, world!", "short/b": " Hello,  world!\n", "short/c": "hello world", "short/d": "+ -"}
    found |= {"empty/a": "", "empty/b": " \n"}
    return sorted(found.items())


def write_corpus(out, documents, parts):
    for part in range(parts):
        builder = BatchBuilder("test")
        for locator, text in documents[part::parts]:
            builder.add(text, locator, url=f"https://example.org/{locator}")
        batch = builder.finish()
        with PartWriter(f"{out}/clean/kept/part-{part:05d}.parquet", batch.schema) as writer:
            writer.write(batch)


def run_stage(out, runner=None, stage_class=UniqueStage, interrupt_after=99, **settings):
    source = {"name": "test", "files": {"paths": ["x"]}}
    recipe = parse_recipe({"name": "test", "sources": [source], "deduplicate": settings})
    return run_alone(stage_class(recipe, str(out)), runner, interrupt_after)


def texts(out, side):
    found = {}
    for file in storage.list_files(f"{out}/unique/{side}", ".parquet"):
        found |= {row["locator"]: row for row in pq.read_table(file.path).to_pylist()}
    return found


def survivors(out):
    kept, removed = texts(out, "kept"), texts(out, "removed")
    return sorted(kept), {
        k: (r["rejected_by"], r["duplicate_of"], r["similarity"], r["component"]) for k, r in removed.items()
    }


def directory(out):
    files = storage.list_files(f"{out}/unique", recursive=True)
    return {
        f.path.removeprefix(str(out)): storage.read_bytes(f.path)
        for f in files
        if "/_" not in f.path.removeprefix(str(out))
    }


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    out = tmp_path_factory.mktemp("expected")
    write_corpus(out, corpus(), 5)
    tally, extra, pipelines = run_stage(out)
    return {"out": out, "tally": tally, "extra": extra, "pipelines": pipelines, "bytes": directory(out)}


def test_every_document_is_kept_or_removed_with_a_reason(expected):
    kept, removed = survivors(expected["out"])
    assert sorted([*kept, *removed]) == [locator for locator, _ in corpus()]
    tally = expected["tally"]
    assert tally.documents_in == len(corpus())
    assert tally.kept == len(kept)
    assert sum(documents for documents, _ in tally.removed.values()) == len(removed)
    assert set(tally.removed) == {"exact_duplicate", "near_duplicate"}


def test_a_removed_document_is_similar_to_the_kept_copy_its_row_names(expected):
    by_id = {row["id"]: row["text"] for row in texts(expected["out"], "kept").values()}
    removed = texts(expected["out"], "removed")
    assert removed
    for row in removed.values():
        kept_text = by_id[row["duplicate_of"]]
        if row["rejected_by"] == "exact_duplicate":
            assert _reference.spaces(row["text"]) == _reference.spaces(kept_text)
            assert (row["measure"], row["similarity"]) == ("exact", 1)
        else:
            assert row["measure"] == "jaccard"
            assert row["similarity"] == np.float32(_reference.jaccard(row["text"], kept_text, 5)) >= np.float32(0.8)


@pytest.mark.parametrize("verify", ["estimate", "containment"])
def test_the_recipe_says_what_must_be_alike(tmp_path, verify):
    write_corpus(tmp_path, corpus(), 3)
    run_stage(tmp_path, stage_class=ManyPartitions, verify=verify)
    by_id = {row["id"]: row["text"] for row in texts(tmp_path, "kept").values()}
    near = [row for row in texts(tmp_path, "removed").values() if row["rejected_by"] == "near_duplicate"]
    assert {row["measure"] for row in near} == {verify}
    for row in near:
        pair = row["text"], by_id[row["duplicate_of"]]
        if verify == "containment":
            assert row["similarity"] == np.float32(_reference.containment(*pair, 5)) >= np.float32(0.8)
        else:
            assert abs(_reference.jaccard(*pair, 5) - row["similarity"]) < 0.2


def test_families_lose_all_but_one_and_their_far_member_stays(expected):
    kept, _ = survivors(expected["out"])
    for family in range(12):
        members = [name for name in kept if name.startswith(f"family-{family}/")]
        assert len([name for name in members if not name.endswith("far")]) == 1
        assert f"family-{family}/far" in kept
    assert len([name for name in kept if name.startswith("exact/")]) == 1


def test_a_chain_is_one_cluster_and_loses_only_links_like_a_kept_one(expected):
    kept, _ = survivors(expected["out"])
    links = [name for name in kept if name.startswith("chain/")]
    assert 3 <= len(links) <= 12
    assert any(cluster["size"] == 24 for cluster in expected["extra"]["largest_clusters"])


def test_short_documents_are_compared_exactly_and_counted(expected):
    kept, removed = survivors(expected["out"])
    assert {"short/c", "short/d"} <= set(kept)
    assert len({"short/a", "short/b"} & set(kept)) == 1
    assert len({"empty/a", "empty/b"} & set(kept)) == 1
    assert all(removed[name][0] == "exact_duplicate" for name in removed if name.startswith(("short", "empty")))
    assert expected["extra"]["short_documents"] == 6


def test_kept_parts_have_the_columns_and_order_of_their_input(expected):
    out = expected["out"]
    for part in range(5):
        before = pq.read_table(f"{out}/clean/kept/part-{part:05d}.parquet")
        after = pq.read_table(f"{out}/unique/kept/part-{part:05d}.parquet")
        assert after.schema.equals(before.schema)
        kept = set(after["id"].to_pylist())
        assert after["id"].to_pylist() == [i for i in before["id"].to_pylist() if i in kept]


def test_signature_files_are_what_datasketch_computes(expected):
    out = expected["out"]
    table = pq.read_table(f"{out}/clean/kept/part-00001.parquet")
    signatures = Signatures.load(f"{out}/unique/signatures/part-00001.arrow")
    for text, values in zip(table["text"].to_pylist(), signatures.values.tolist(), strict=True):
        assert values == _reference.signature(text, 5, 128, 1)


def test_the_largest_clusters_are_reported_with_urls(expected):
    clusters = expected["extra"]["largest_clusters"]
    sizes = [cluster["size"] for cluster in clusters]
    assert sizes == sorted(sizes, reverse=True)
    for cluster in clusters:
        assert 1 <= len(cluster["members"]) <= cluster["size"]
        assert all(name.startswith("https://example.org/") for name in cluster["members"])
        assert 1 <= cluster["kept_copies"] <= cluster["size"]
    assert any(cluster["kept_copies"] < cluster["size"] for cluster in clusters)


@pytest.mark.parametrize("kind", ["files", "beam"])
def test_contraction_over_many_partitions_gives_the_same_bytes(tmp_path, expected, kind):
    write_corpus(tmp_path, corpus(), 5)
    _, _, pipelines = run_stage(tmp_path, stage_class=ManyPartitions if kind == "files" else ThroughTheEngine)
    assert any(phase.startswith("large") for phase in pipelines)
    assert directory(tmp_path) == expected["bytes"]


def test_the_driver_goes_on_until_no_edge_changes(tmp_path, expected, monkeypatch):
    monkeypatch.setattr("pipelines.unique.ROUNDS", 1)
    write_corpus(tmp_path, corpus(), 5)
    _, _, pipelines = run_stage(tmp_path, stage_class=ManyPartitions)
    assert pipelines[:3] == ["sign", "large-00", "large-01"]
    assert directory(tmp_path) == expected["bytes"]


@pytest.mark.parametrize("kind", ["files", "beam"])
def test_bundles_run_twice_give_the_same_bytes(tmp_path, expected, kind):
    write_corpus(tmp_path, corpus(), 5)
    runner = partial(in_process_runner, bundle_repeat=2)
    run_stage(tmp_path, runner(), ManyPartitions if kind == "files" else ThroughTheEngine)
    assert directory(tmp_path) == expected["bytes"]


def test_lazily_fetched_groups_give_the_same_bytes(tmp_path, expected):
    write_corpus(tmp_path, corpus(), 5)
    run_stage(tmp_path, in_process_runner(use_state_iterables=True), ThroughTheEngine)
    assert directory(tmp_path) == expected["bytes"]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_worker_processes_give_the_same_bytes(tmp_path, expected, workers):
    write_corpus(tmp_path, corpus(), 5)
    run_stage(tmp_path, worker_runner(workers, PipelineOptions([]), str(tmp_path / "log")))
    assert directory(tmp_path) == expected["bytes"]


def test_verdicts_that_were_lost_fail_the_stage(tmp_path):
    write_corpus(tmp_path, corpus(), 5)
    run_stage(tmp_path)
    verdicts = storage.list_files(f"{tmp_path}/unique/_work/verdicts", ".arrow")
    for file in [verdicts[0], *storage.list_files(f"{tmp_path}/unique/_receipts/write", ".json")]:
        storage.remove_file(file.path)
    with pytest.raises(RuntimeError, match=r"stage unique: \d+ documents were judged to be copies, \d+ were removed"):
        run_stage(tmp_path)


@pytest.mark.parametrize("parts", [1, 3, 9])
def test_survivors_do_not_depend_on_the_order_or_number_of_files(tmp_path, expected, parts):
    documents = corpus()
    random.Random(parts).shuffle(documents)
    write_corpus(tmp_path, documents, parts)
    run_stage(tmp_path, stage_class=ManyPartitions)
    assert survivors(tmp_path) == survivors(expected["out"])


def test_a_run_cut_short_between_or_within_pipelines_continues_to_the_same_bytes(tmp_path, expected):
    write_corpus(tmp_path, corpus(), 5)
    for whole in count(1):
        try:
            _, _, pipelines = run_stage(tmp_path, stage_class=ManyPartitions, interrupt_after=whole)
            break
        except KeyboardInterrupt:
            pass
        # what was under way has lost some of its receipts, whatever files it had written
        receipts = storage.list_files(f"{tmp_path}/unique/_receipts", ".json", recursive=True)
        for file in receipts[-12::2]:
            storage.remove_file(file.path)
    assert len(pipelines) == whole >= 4
    assert directory(tmp_path) == expected["bytes"]


def test_a_corpus_without_documents_or_duplicates_passes_through(tmp_path):
    write_corpus(tmp_path, [("a", "only one document is in this corpus of ours")], 1)
    tally, extra, _ = run_stage(tmp_path)
    assert (tally.kept, extra["components"], extra["largest_clusters"]) == (1, 0, [])
    assert sorted(texts(tmp_path, "kept")) == ["a"]
    assert pq.read_table(f"{tmp_path}/unique/removed/part-00000.parquet").num_rows == 0


def test_documents_of_one_page_are_duplicates_if_the_recipe_says_so(tmp_path):
    pages = {
        "a": ("HTTP://Example.org:80/page?utm_source=x#top", "first version of a page, which is the longest of them"),
        "b": ("https://example.org/page", "another text"),
        "c": ("https://example.org/page", "another  text"),
        "d": (None, "no page"),
        "e": ("not a url", "no page either"),
        "f": ("https://www.example.org/page", "www counts"),
    }
    for part, chosen in enumerate(("ace", "bdf")):
        builder = BatchBuilder("test")
        for name in chosen:
            builder.add(pages[name][1], name, url=pages[name][0])
        batch = builder.finish()
        with PartWriter(f"{tmp_path}/clean/kept/part-{part:05d}.parquet", batch.schema) as writer:
            writer.write(batch)
    tally, _, _ = run_stage(tmp_path, stage_class=ManyPartitions, urls="url-1")
    kept, removed = survivors(tmp_path)
    assert kept == ["a", "d", "e", "f"]
    assert removed == {name: ("url_duplicate", document_id("test", "a"), None, 3) for name in "bc"}
    assert {row["measure"] for row in texts(tmp_path, "removed").values()} == {"url"}
    assert tally.removed["url_duplicate"][0] == 2
    storage.remove_tree(f"{tmp_path}/unique")
    run_stage(tmp_path)
    assert survivors(tmp_path)[1].keys() <= {"b", "c"}
    assert len(survivors(tmp_path)[1]) == 1


def test_documents_are_compared_within_their_scope(tmp_path):
    documents = corpus()
    languages = [None if i % 7 == 0 else ("en", "fr")[i % 2] for i in range(len(documents))]
    for part in range(3):
        builder = BatchBuilder("test")
        for locator, text in documents[part::3]:
            builder.add(text, locator)
        batch = builder.finish().append_column("language.label", pa.array(languages[part::3], pa.string()))
        with PartWriter(f"{tmp_path}/clean/kept/part-{part:05d}.parquet", batch.schema) as writer:
            writer.write(batch)
    run_stage(tmp_path, stage_class=ManyPartitions, scope="language.label")
    _, within = survivors(tmp_path)
    language_of = dict(zip((locator for locator, _ in documents), languages, strict=True))
    alone = {}
    for language in {*languages}:
        out = tmp_path / f"only-{language}"
        write_corpus(out, [(name, text) for name, text in documents if language_of[name] == language], 2)
        run_stage(out)
        alone |= survivors(out)[1]
    assert within == alone != {}


def test_the_preferred_source_is_kept_even_if_it_is_shorter(tmp_path):
    for part, source in enumerate(("blog", "press")):
        builder = BatchBuilder(source)
        builder.add(document(5) + " and more" * part, "x")
        batch = builder.finish()
        with PartWriter(f"{tmp_path}/clean/kept/part-{part:05d}.parquet", batch.schema) as writer:
            writer.write(batch)
    run_stage(tmp_path, keep="source", sources=["blog", "press"])
    (row,) = texts(tmp_path, "removed").values()
    assert row["source"] == "press"
    assert row["duplicate_of"] == document_id("blog", "x")


def test_real_near_duplicates_are_found_and_what_is_removed_has_a_similar_kept_copy(tmp_path, shared_data):
    folder = shared_data / "near-duplicates" / "license-texts"
    with gzip.open(folder / "docs.jsonl.gz", "rt", encoding="utf-8") as lines:
        documents = [(row["id"], row["text"]) for row in map(json.loads, lines)]
    write_corpus(tmp_path, documents, 4)
    run_stage(tmp_path)
    kept, removed = texts(tmp_path, "kept"), texts(tmp_path, "removed")
    with gzip.open(folder / "pairs-jaccard5.tsv.gz", "rt", encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines][1:]
    similar = [(a, b) for a, b, jaccard in rows if float(jaccard) >= 0.8]
    both_kept = [pair for pair in similar if pair[0] in kept and pair[1] in kept]
    # a member may be like one that goes for a better copy
    assert len(both_kept) <= 0.02 * len(similar)
    by_id = {row["id"]: row["text"] for row in kept.values()}
    for row in removed.values():
        exact = _reference.jaccard(row["text"], by_id[row["duplicate_of"]], 5)
        assert row["rejected_by"] == "exact_duplicate" or row["similarity"] == np.float32(exact) >= np.float32(0.8)


def test_settings_that_cannot_work_are_refused_by_name():
    with pytest.raises(ValueError, match=r"bands × rows is 40 × 8 = 320, at most permutations = 128"):
        DedupSettings(bands=40, rows=8)
    with pytest.raises(ValueError, match="signal names a column exactly when keep is 'signal'"):
        DedupSettings(keep="signal")


def test_a_signal_nobody_measured_is_named(tmp_path):
    write_corpus(tmp_path, corpus()[:3], 1)
    with pytest.raises(ValueError, match=r"deduplicate.signal: 'quality.score' is not a column"):
        run_stage(tmp_path, keep="signal", signal="quality.score")


def test_a_scope_that_is_no_column_is_named(tmp_path):
    write_corpus(tmp_path, corpus()[:3], 1)
    with pytest.raises(ValueError, match=r"deduplicate.scope: 'dump' is not a column of the documents, which have id,"):
        run_stage(tmp_path, scope="dump")


def test_removed_rows_name_ids_of_sixteen_bytes(expected):
    schema = pq.read_schema(f"{expected['out']}/unique/removed/part-00000.parquet")
    assert schema.field("duplicate_of").type == pa.binary(16)
    assert schema.field("similarity").type == pa.float32()
