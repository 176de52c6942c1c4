"""Every token is in exactly one shard, and where it is depends on the document's id and the seed alone."""

import random
from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
import pytest

from dataprep.document import document_id
from dataprep.tokens.assign import ShardPlan
from dataprep.tokens.encode import Encoder
from dataprep.tokens.hashing import SPACE, keyed_hashes
from dataprep.tokens.measure import CorpusMeasure
from dataprep.tokens.regroup import collect_shard, encode_rows
from dataprep.tokens.settings import ShardSettings, TokenizerSettings
from dataprep.tokens.train import train_tokenizer

EOS = "<|endoftext|>"
ENCODER = Encoder(
    train_tokenizer(pa.chunked_array([["a mill, the mill"]]), TokenizerSettings(vocabulary_size=260)), EOS
)


def corpus(n, seed=0):
    rng = random.Random(seed)
    return [
        (rng.choice(["books", "web"]), f"doc-{i}", "".join(rng.choices("mill the", k=rng.randrange(0, 60))))
        for i in range(n)
    ]


def batch_of(documents):
    sources, locators, texts = zip(*documents, strict=True)
    ids = [document_id(source, locator) for source, locator in zip(sources, locators, strict=True)]
    return pa.RecordBatch.from_pydict(
        {
            "id": pa.array(ids, pa.binary(16)),
            "text": pa.array(texts, pa.large_string()),
            "source": pa.array(sources, pa.string()).dictionary_encode(),
        }
    )


def measured(documents, seed=0):
    measure = CorpusMeasure()
    measure.add(batch_of(documents), seed)
    return measure


def planned(documents, tokens_per_shard=500, fraction=0.1, seed=0):
    shards = ShardSettings(tokens_per_shard=tokens_per_shard, validation_fraction=fraction)
    return ShardPlan.of(measured(documents, seed), 10, 4, shards, seed)


def shards_of(documents, plan, size=50):
    rows = defaultdict(list)
    for start in range(0, len(documents), size):
        for partition, batch in encode_rows(batch_of(documents[start : start + size]), ENCODER, plan):
            rows[partition].append(batch)
    return {partition: collect_shard(batches) for partition, batches in rows.items()}


def test_every_token_is_in_exactly_one_shard():
    documents = corpus(600)
    shards = shards_of(documents, planned(documents))
    assert len(shards) > 6
    found = Counter()
    for partition, shard in shards.items():
        source, _, _ = planned(documents).place(partition)
        for i, doc_id in enumerate(shard.doc_ids):
            found[source, doc_id.tobytes(), tuple(shard.tokens[shard.offsets[i] : shard.offsets[i + 1]])] += 1
    expected = Counter(
        (source, document_id(source, locator), tuple(ENCODER.encode(pa.array([text]))[0]))
        for source, locator, text in documents
    )
    assert found == expected
    assert sum(shard.bytes for shard in shards.values()) == sum(len(text) for _, _, text in documents)


def test_shards_are_the_same_for_any_order_and_division_of_the_documents():
    documents = corpus(300)
    shuffled = documents.copy()
    random.Random(4).shuffle(shuffled)
    plan = planned(documents)
    assert planned(shuffled) == plan
    first, second = shards_of(documents, plan), shards_of(shuffled, plan, size=17)
    assert first.keys() == second.keys()
    for partition, shard in first.items():
        for name in ("tokens", "offsets", "doc_ids"):
            assert np.array_equal(getattr(shard, name), getattr(second[partition], name))


def test_shards_in_a_row_are_one_shuffled_sequence_whatever_their_number():
    documents = [("web", f"doc-{i}", "mill") for i in range(500)]
    sequences = []
    for tokens_per_shard in (100, 10_000):
        plan = planned(documents, tokens_per_shard, fraction=0)
        shards = shards_of(documents, plan)
        sequences.append(np.concatenate([shards[p].doc_ids for p in sorted(shards)]).tobytes())
        assert len(shards) == plan.counts[0][1]
    assert sequences[0] == sequences[1]
    assert sequences[0] != b"".join(document_id("web", locator) for _, locator, _ in documents)


def test_another_seed_gives_another_order_and_another_validation_set():
    documents = corpus(300)
    held_out = []
    for seed in (1, 2):
        plan = planned(documents, seed=seed)
        shards = shards_of(documents, plan)
        held_out.append({i.tobytes() for p, s in shards.items() if plan.place(p)[1] == "validation" for i in s.doc_ids})
    assert held_out[0] != held_out[1]


@pytest.mark.parametrize("fraction", [1e-9, 0.3, 0.999999])
def test_two_documents_are_enough_for_both_splits(fraction):
    for n in (2, 3, 10):
        documents = [("web", f"doc-{n}-{i}", "mill") for i in range(n)]
        plan = planned(documents, fraction=fraction)
        splits = {plan.place(partition)[1] for partition in shards_of(documents, plan)}
        assert splits == {"train", "validation"}


def test_one_document_or_a_fraction_of_zero_is_all_train():
    for documents, fraction in (([("web", "one", "mill")], 0.5), (corpus(50), 0.0)):
        plan = planned(documents, fraction=fraction)
        assert {plan.place(partition)[1] for partition in shards_of(documents, plan)} == {"train"}


def test_the_validation_share_is_the_fraction_asked_for():
    documents = [("web", f"doc-{i}", "") for i in range(20_000)]
    plan = planned(documents, fraction=0.05)
    builder = pa.array([document_id("web", locator) for _, locator, _ in documents], pa.binary(16))
    partitions, _ = plan.assign("web", builder)
    share = np.mean([plan.place(int(p))[1] == "validation" for p in partitions])
    assert abs(share - 0.05) < 0.006


def test_partitions_and_places_correspond():
    plan = ShardPlan(0, SPACE // 2, (("books", 3, 1), ("web", 1, 2)))
    places = [plan.place(p) for p in range(plan.partitions)]
    assert places == [
        ("books", "train", 0),
        ("books", "train", 1),
        ("books", "train", 2),
        ("books", "validation", 0),
        ("web", "train", 0),
        ("web", "validation", 0),
        ("web", "validation", 1),
    ]
    assert ShardPlan.from_json(plan.to_json()) == plan
    ids = pa.array([document_id("web", str(i)) for i in range(1000)], pa.binary(16))
    assert set(plan.assign("web", ids)[0].tolist()) == {4, 5, 6}
    with pytest.raises(ValueError, match="partition 7"):
        plan.place(7)


def test_a_document_that_comes_twice_is_named():
    documents = [("web", "same", "mill"), ("web", "same", "the")]
    plan = planned(documents, fraction=0)
    with pytest.raises(ValueError, match=document_id("web", "same").hex()):
        shards_of(documents, plan)


def test_hashes_of_a_slice_are_those_of_its_rows_and_purposes_are_independent():
    ids = pa.array([document_id("web", str(i)) for i in range(2000)], pa.binary(16))
    whole = keyed_hashes(ids, 7, "order")
    assert np.array_equal(keyed_hashes(ids.slice(10, 20), 7, "order"), whole[10:30])
    other = keyed_hashes(ids, 7, "split")
    assert abs(np.corrcoef(whole.astype(float), other.astype(float))[0, 1]) < 0.1
