"""From unique documents to shards on a real Beam runner: one truth for any order, division and repetition."""

import base64
import io
import json
import random
import shutil
from collections import Counter

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from rich.console import Console
from tokenizers import Tokenizer, models, pre_tokenizers

from dataprep import storage
from dataprep.document import SCHEMA, BatchBuilder, document_id
from dataprep.parts import PartWriter
from dataprep.recipe import parse_recipe
from dataprep.shards import Manifest, verify_directory
from dataprep.tokens.byte_level import token_bytes
from dataprep.tokens.encode import Encoder
from pipelines import show_shards
from pipelines.batches import Split
from pipelines.local import in_process_runner
from pipelines.tokens import ShardsStage, TokenizerStage

WORDS = ["the", "mill", "grinds", "corn", "into", "flour", ",", "小麦", "<|endoftext|>", "Größe", "1984", "\n"]


def corpus(n=120, seed=0):
    """(source, locator, text)"""
    rng = random.Random(seed)
    return [
        (rng.choice(["books", "web"]), f"doc-{i}", " ".join(rng.choices(WORDS, k=rng.randrange(0, 80))))
        for i in range(n)
    ]


def write_parts(out, documents, parts, measured=True):
    """Deal documents out to part files, with the manifest the stage before would leave."""
    for index in range(parts):
        with PartWriter(str(out / "unique" / "kept" / f"part-{index:05d}.parquet"), SCHEMA) as part:
            for source in ("books", "web"):
                builder = BatchBuilder(source)
                for name, locator, text in documents[index::parts]:
                    if name == source:
                        builder.add(text, locator)
                batch = builder.finish()
                if batch is not None:
                    part.write(with_signals(batch) if measured else batch)
    manifest = {"fingerprint": "unique", "counts": {"kept": len(documents)}}
    storage.write_json(str(out / "unique" / "_stage.json"), manifest)


def with_signals(batch):
    """What cleaning would have measured: a label that some documents lack, and the length."""
    texts = batch.column("text").to_pylist()
    labels = pa.array([("zh" if "小" in text else "en") if text else None for text in texts], pa.string())
    lengths = pa.array([float(len(text)) for text in texts])
    return batch.append_column("language.label", labels).append_column("language.score", lengths)


def recipe(**changes):
    value = {
        "name": "test",
        "seed": 11,
        "sources": [{"name": name, "files": {"paths": ["x"]}} for name in ("books", "web")],
        "tokenizer": {"vocabulary_size": 300, "sample_bytes": 8_000},
        "shards": {"tokens_per_shard": 1_000, "validation_fraction": 0.1},
    }
    return parse_recipe(value | changes)


def run(out, settings, runner=None, stages=(TokenizerStage, ShardsStage)):
    def pipeline(phase, build, splits):
        if splits:
            p = beam.Pipeline(runner=runner or in_process_runner())
            build(p | beam.Create(splits).with_output_types(Split))
            p.run().wait_until_finish()

    for kind in stages:
        stage = kind(settings, str(out))
        parts = stage.fingerprint_parts()
        stage.execute(pipeline)
        stage.write_manifest(parts, 0.0)
    return Manifest.load(str(out / "shards"))


def files(out):
    """Everything a run leaves for its reader: tokenizer, shards, manifest."""
    found = {str(path.relative_to(out)): path.read_bytes() for path in (out / "shards").glob("[a-z]*/*.arrow")}
    for name in ("tokenizer/tokenizer.json", "tokenizer/report.json", "shards/manifest.json"):
        found[name] = (out / name).read_bytes()
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    write_parts(out, corpus(), 3)
    run(out, recipe())
    return out


def test_every_document_is_in_exactly_one_shard_with_the_ids_of_its_text(finished):
    manifest = Manifest.load(str(finished / "shards"))
    encoder = Encoder((finished / "tokenizer" / "tokenizer.json").read_bytes(), "<|endoftext|>")
    found = Counter()
    for info in manifest.shards:
        shard = manifest.open(info)
        assert info.path == f"{info.source}/{info.path.split('/')[1]}"
        for i in range(shard.documents):
            text = encoder.tokenizer.decode(shard.document(i)[:-1].tolist(), skip_special_tokens=False)
            found[info.source, shard.doc_id(i), text] += 1
    assert found == Counter((source, document_id(source, locator), text) for source, locator, text in corpus())
    assert len(manifest.select("train", "web")) > 1
    assert manifest.select("validation")
    assert [problem for _, problems in verify_directory(str(finished / "shards")) for problem in problems] == []


def test_the_signals_that_the_recipe_names_go_along_with_their_documents(tmp_path):
    write_parts(tmp_path, corpus(), 3)
    columns = ["language.score", "language.label"]
    manifest = run(tmp_path, recipe(shards={"tokens_per_shard": 1_000, "columns": columns}))
    known = {}
    for source, locator, text in corpus():
        label = ("zh" if "小" in text else "en") if text else None
        known[document_id(source, locator)] = (float(len(text)), label)
    found = {}
    for shard in map(manifest.open, manifest.shards):
        values = zip(*(shard.columns[name].to_pylist() for name in columns), strict=True)
        found |= {shard.doc_id(row): pair for row, pair in enumerate(values)}
    assert found == known


def test_a_signal_that_no_step_measures_is_refused_with_those_that_are():
    with pytest.raises(
        ValueError, match=r"shards\.columns: 'language\.lable' is measured by no step; allowed: .*language\.label"
    ):
        recipe(shards={"columns": ["language.lable"]})
    with pytest.raises(ValueError, match=r"shards\.columns: 'language\.label' is given more than once"):
        recipe(shards={"columns": ["language.label", "language.label"]})


def traced(out, **place):
    console = Console(file=io.StringIO(), width=200)
    show_shards.trace(console, str(out), **({"shard": None, "token": None, "position": None, "split": "train"} | place))
    return console.file.getvalue()


def test_a_token_is_traced_to_its_document_and_its_place_in_the_text(finished):
    manifest = Manifest.load(str(finished / "shards"))
    texts = {document_id(source, locator): (locator, text) for source, locator, text in corpus()}
    info = manifest.select("train", "web")[-1]
    before = sum(one.tokens for one in manifest.select("train")[:-1])
    shard = manifest.open(info)
    for row in range(0, shard.documents, 5):
        locator, text = texts[shard.doc_id(row)]
        for token in {int(shard.offsets[row]), int(shard.offsets[row + 1]) - 1}:
            shown = traced(finished, shard=info.path, token=token)
            assert locator in shown.split()
            assert shard.doc_id(row).hex() in shown
            assert "unique/kept/part-" in shown
            assert traced(finished / "shards", position=before + token) == shown
            around = shown.partition("\n\n")[2].rstrip("\n")
            left, _, rest = around.partition("⟦")
            marked, _, right = rest.partition("⟧")
            if token == shard.offsets[row + 1] - 1:
                assert (marked, left[-9:]) == ("<|endoftext|>", text[-9:])
            else:
                assert (left, (marked + right)[:100]) == ("", text[:100])


def test_a_token_of_a_document_that_is_gone_is_decoded(finished, tmp_path):
    for name in ("shards", "tokenizer"):
        shutil.copytree(finished / name, tmp_path / name)
    shown = traced(tmp_path, position=0, split="validation")
    assert "not in this run any more" in shown
    assert "⟦" in shown


def test_a_document_whose_text_has_changed_since_is_named_with_that(finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    write_parts(tmp_path, [(source, locator, f"{text} again") for source, locator, text in corpus()], 3)
    shown = traced(tmp_path, position=3)
    assert "unique/kept/part-" in shown
    assert "its text encodes to other tokens than the shard holds" in shown
    assert "again" not in shown.partition("\n\n")[2]


def test_what_cannot_be_traced_is_said_with_the_option(finished, tmp_path):
    manifest = Manifest.load(str(finished / "shards"))
    path = manifest.shards[0].path
    for place, message in (
        ({}, "trace needs --shard with --token, or --position"),
        ({"shard": path}, "trace needs --shard with --token, or --position"),
        ({"shard": path, "token": 1, "position": 1}, "trace needs --shard with --token, or --position"),
        (
            {"shard": "web/none.arrow", "token": 1},
            "--shard web/none.arrow: is not in .*; allowed are books/train-00000.arrow",
        ),
        ({"shard": path, "token": 10**9}, "trace: token 1,000,000,000 of books/train-00000.arrow: there are"),
        ({"position": 0, "split": "test"}, "--position: token 0 of split 'test': there are 0"),
    ):
        with pytest.raises(ValueError, match=message):
            traced(finished, **place)
    shutil.copytree(finished / "shards", tmp_path / "shards")
    with pytest.raises(ValueError, match=r"tokenizer\.json: missing, and without it nothing says what token"):
        traced(tmp_path, position=0)


def test_the_manifest_counts_documents_characters_tokens_and_bytes(finished):
    tokenizer, shards = (json.loads((finished / name / "_stage.json").read_text()) for name in ("tokenizer", "shards"))
    texts = [text for _, _, text in corpus()]
    for counts in (tokenizer["counts"], shards["counts"]):
        assert counts["documents_in"] == counts["kept"] == len(texts)
        assert counts["characters_kept"] == sum(map(len, texts))
    assert shards["extra"]["bytes"] == sum(len(text.encode()) for text in texts)
    assert shards["extra"]["tokens"] == Manifest.load(str(finished / "shards")).tokens
    assert 5_000 < tokenizer["extra"]["sample_bytes"] <= 8_000
    assert tokenizer["extra"]["vocabulary_size"] == 300
    assert tokenizer["extra"]["bytes_per_token"] > 1
    assert shards["extra"]["notes"] == []


def test_the_same_documents_give_the_same_bytes_in_any_order_and_division(finished, tmp_path):
    documents = corpus()
    random.Random(3).shuffle(documents)
    write_parts(tmp_path, documents, 7)
    run(tmp_path, recipe())
    assert files(tmp_path) == files(finished)


def test_bundles_that_run_twice_leave_the_same_files(finished, tmp_path):
    write_parts(tmp_path, corpus(), 3)
    run(tmp_path, recipe(), FnApiRunner(bundle_repeat=2))
    assert files(tmp_path) == files(finished)


def test_a_run_that_was_interrupted_continues_to_the_same_bytes(finished, tmp_path):
    write_parts(tmp_path, corpus(), 3)
    run(tmp_path, recipe())
    # as a kill between two shards leaves it: no manifests, one shard and its receipt missing
    for name in ("_stage.json", "manifest.json"):
        (tmp_path / "shards" / name).unlink()
    receipts = sorted((tmp_path / "shards" / "_receipts" / "encode.reduce").iterdir())
    finished_before = receipts[0].stat().st_mtime_ns
    (tmp_path / "shards" / json.loads(receipts[-1].read_text())["work"]["info"]["path"]).unlink()
    receipts[-1].unlink()
    run(tmp_path, recipe(), stages=(ShardsStage,))
    assert receipts[0].stat().st_mtime_ns == finished_before
    assert files(tmp_path) == files(finished)


def test_another_seed_gives_other_shards_of_the_same_documents(finished, tmp_path):
    write_parts(tmp_path, corpus(), 3)
    manifest = run(tmp_path, recipe(seed=12))
    first = Manifest.load(str(finished / "shards"))
    assert manifest.hash != first.hash
    assert manifest.documents == first.documents


def test_documents_begin_with_a_bos_token_if_the_recipe_names_one(tmp_path):
    write_parts(tmp_path, corpus(30), 2)
    run(tmp_path, recipe(tokenizer={"vocabulary_size": 300, "sample_bytes": 8_000, "bos_token": "<s>"}))
    manifest = Manifest.load(str(tmp_path / "shards"))
    assert manifest.bos_id is not None
    for info in manifest.shards:
        opened = manifest.open(info)
        assert (opened.tokens[opened.offsets[:-1]] == manifest.bos_id).all()
        assert np.count_nonzero(opened.tokens == manifest.bos_id) == opened.documents


def test_a_given_tokenizer_is_used_as_it_is(finished, tmp_path):
    write_parts(tmp_path, corpus(), 2)
    given = finished / "tokenizer" / "tokenizer.json"
    manifest = run(tmp_path, recipe(tokenizer={"file": str(given)}))
    manifest.check_tokenizer(str(given))
    assert (tmp_path / "tokenizer" / "tokenizer.json").read_bytes() == given.read_bytes()
    assert manifest.tokens == Manifest.load(str(finished / "shards")).tokens


def test_a_tiktoken_vocabulary_is_converted_and_gives_the_same_ids_for_text(finished, tmp_path):
    write_parts(tmp_path, corpus(), 2)
    trained = json.loads((finished / "tokenizer" / "tokenizer.json").read_text())["model"]["vocab"]
    lines = [(token_bytes(token), number - 1) for token, number in trained.items() if number]
    given = tmp_path / "given.tiktoken"
    given.write_bytes(b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in lines))
    manifest = run(tmp_path, recipe(tokenizer={"file": str(given), "pre_tokenizer": "gpt2"}))
    assert manifest.tokens == Manifest.load(str(finished / "shards")).tokens
    assert manifest.eos_id == 299
    assert (tmp_path / "tokenizer" / "report.json").exists()


def test_the_balance_and_what_it_lacks_are_in_the_stage(finished, tmp_path):
    settings = {"vocabulary_size": 300, "sample_bytes": 2_000, "balance_by": ["source", "language"], "balance_alpha": 0}
    said = []
    for out, measured in ((tmp_path / "a", False), (tmp_path / "b", True)):
        write_parts(out, corpus(), 3, measured)
        run(out, recipe(tokenizer=settings))
        groups = json.loads((out / "tokenizer" / "report.json").read_text())["groups"]
        said.append([(group["source"], group["language"], round(group["bytes"], -1)) for group in groups])
    assert said[0] == [("books", "", 1_000), ("web", "", 1_000)]
    assert said[1] == [(source, label, 500) for source in ("books", "web") for label in ("en", "zh")]
    without, balanced, plain = (
        json.loads((out / "tokenizer" / "_stage.json").read_text())["extra"]
        for out in (tmp_path / "a", tmp_path / "b", finished)
    )
    (note,) = without["notes"]
    assert note == "languages are not balanced: no document has language.label, which clean.steps: [language] adds"
    assert balanced["notes"] == []
    assert plain["notes"] == []
    assert balanced["corpus"] == plain["corpus"]
    tokens = Manifest.load(str(finished / "shards")).tokens
    assert plain["estimated_tokens"] == pytest.approx(tokens, rel=0.1)


def test_a_given_tokenizer_that_is_missing_or_broken_is_named(tmp_path):
    write_parts(tmp_path, corpus(5), 1)
    with pytest.raises(ValueError, match=r"tokenizer\.file: .*nowhere\.json"):
        run(tmp_path, recipe(tokenizer={"file": "nowhere.json"}))
    (tmp_path / "broken.json").write_text("{}")
    with pytest.raises(ValueError, match=r"broken\.json: not a tokenizer"):
        run(tmp_path, recipe(tokenizer={"file": str(tmp_path / "broken.json")}))


def test_shards_are_not_written_with_a_tokenizer_that_was_exchanged(tmp_path):
    write_parts(tmp_path, corpus(20), 1)
    run(tmp_path, recipe())
    storage.remove_tree(str(tmp_path / "shards"))
    path = tmp_path / "tokenizer" / "tokenizer.json"
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(Exception, match="the file has changed"):
        run(tmp_path, recipe(), stages=(ShardsStage,))


@pytest.mark.parametrize("documents", [[], [("web", "empty", "")]])
def test_a_corpus_without_text_is_a_clear_error(tmp_path, documents):
    write_parts(tmp_path, documents, 1)
    with pytest.raises(ValueError, match=r"no text is left in .*unique/kept"):
        run(tmp_path, recipe())


def test_a_single_document_goes_to_train_and_the_missing_validation_is_said(tmp_path):
    write_parts(tmp_path, [("web", "one", "the mill and the mill " * 20)], 1)
    manifest = run(tmp_path, recipe())
    assert [info.split for info in manifest.shards] == ["train"]
    notes = json.loads((tmp_path / "shards" / "_stage.json").read_text())["extra"]["notes"]
    assert notes == ["there are no validation shards: the corpus is a single document"]


def test_shards_come_near_their_target_size(tmp_path):
    documents = [("web", f"doc-{i}", " ".join(WORDS)) for i in range(2_000)]
    write_parts(tmp_path, documents, 2)
    manifest = run(tmp_path, recipe(shards={"tokens_per_shard": 8_000, "validation_fraction": 0.01}))
    sizes = [info.tokens for info in manifest.select("train")]
    assert len(sizes) > 3
    assert 0.5 < np.mean(sizes) / 8_000 < 1.5


def test_a_tokenizer_that_only_the_slow_library_knows_is_said(tmp_path):
    words = Tokenizer(models.WordLevel({"mill": 0, "the": 1, "<|endoftext|>": 2}, unk_token="the"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.save(str(tmp_path / "words.json"))
    write_parts(tmp_path, [("web", str(n), "the mill " * 20) for n in range(40)], 1)
    run(tmp_path, recipe(tokenizer={"file": str(tmp_path / "words.json")}))
    notes = json.loads((tmp_path / "tokenizer" / "_stage.json").read_text())["extra"]["notes"]
    assert any("encoded by tokenizers, which is slow: it has a WordLevel model" in note for note in notes)
