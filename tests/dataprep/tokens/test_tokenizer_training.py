"""The tokenizer is a function of the set of documents, bounded by a budget."""

import os
import random
import subprocess
import sys

import pyarrow as pa
import pytest
from tokenizers import Tokenizer

from dataprep.document import BatchBuilder
from dataprep.tokens.measure import CorpusMeasure
from dataprep.tokens.sample import SamplePlan, candidates, cut
from dataprep.tokens.settings import TokenizerSettings
from dataprep.tokens.train import train_tokenizer

WORDS = ["mill", "grain", "flour", "stone", "Wasser", "épeautre", "小麦", "and", "the", "of", "turns", "42", "\n", "—"]


def corpus(n=200, seed=0):
    rng = random.Random(seed)
    return [(f"doc-{i}", " ".join(rng.choices(WORDS, k=rng.randrange(1, 200)))) for i in range(n)]


def batches(documents, size=64, source="web"):
    for start in range(0, len(documents), size):
        builder = BatchBuilder(source)
        for locator, text in documents[start : start + size]:
            builder.add(text, locator)
        yield builder.finish()


def measured(batches, seed=5):
    measure = CorpusMeasure()
    for batch in batches:
        measure.add(batch, seed)
    return measure


def sampled(documents, budget, size=64, seed=5):
    plan = SamplePlan.of(measured(batches(documents, size), seed), TokenizerSettings(sample_bytes=budget))
    return cut([candidates(batch, seed, plan) for batch in batches(documents, size)], plan).column("text")


@pytest.mark.parametrize("budget", [1, 100, 5_000, 40_000, 10**9])
def test_the_sample_is_the_same_for_any_order_and_division_of_the_parts(budget):
    documents = corpus()
    shuffled = documents.copy()
    random.Random(1).shuffle(shuffled)
    assert sampled(documents, budget).to_pylist() == sampled(shuffled, budget, size=7).to_pylist()


def test_the_sample_fills_its_budget_exactly_and_holds_everything_when_there_is_room():
    documents = corpus(2000)
    total = sum(len(text.encode()) for _, text in documents)
    for budget in (total // 10, total // 3, total // 2):
        size = sum(len(text.encode()) for text in sampled(documents, budget).to_pylist())
        assert budget - 3 <= size <= budget  # a character is at most four bytes and is never cut
    assert sorted(sampled(documents, total).to_pylist()) == sorted(text for _, text in documents)


def test_the_candidates_are_bounded_by_the_budget_not_by_the_corpus():
    documents = corpus(4000)
    measure = measured(batches(documents))
    budget = measure.bytes // 20
    plan = SamplePlan.of(measure, TokenizerSettings(sample_bytes=budget))
    collected = sum(
        len(text.encode()) for b in batches(documents) for text in candidates(b, 5, plan)["text"].to_pylist()
    )
    assert budget < collected < 1.6 * budget


def test_another_seed_gives_another_sample():
    documents = corpus()
    assert sampled(documents, 2_000, seed=1).to_pylist() != sampled(documents, 2_000, seed=2).to_pylist()


def test_a_corpus_of_few_huge_documents_still_gives_a_sample():
    documents = [(f"book-{i}", "flour " * 50_000) for i in range(4)]
    assert sum(map(len, sampled(documents, 1_000).to_pylist())) == 1_000


def test_training_gives_the_same_bytes_for_any_number_of_threads_and_order(tmp_path):
    code = (
        "import sys, random, hashlib, pyarrow as pa; sys.path.insert(0, sys.argv[1]); "
        "from test_tokenizer_training import corpus; "
        "from dataprep.tokens.train import train_tokenizer; "
        "from dataprep.tokens.settings import TokenizerSettings; "
        "texts = [text for _, text in corpus(400)]; random.Random(int(sys.argv[2])).shuffle(texts); "
        "data = train_tokenizer(pa.chunked_array([texts], pa.large_string()), TokenizerSettings(vocabulary_size=400)); "
        "print(hashlib.sha256(data).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code, os.path.dirname(__file__), str(seed)],
            env=os.environ | {"RAYON_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, threads in enumerate(("1", "2", "8"))
    }
    assert len(digests) == 1


@pytest.mark.parametrize("pre_tokenizer", ["gpt2", "llama3", "qwen2"])
def test_a_trained_tokenizer_has_the_size_asked_for_and_loads_anywhere(tmp_path, pre_tokenizer):
    texts = pa.chunked_array([[text for _, text in corpus()]], pa.large_string())
    settings = TokenizerSettings(vocabulary_size=300, pre_tokenizer=pre_tokenizer)
    (tmp_path / "tokenizer.json").write_bytes(train_tokenizer(texts, settings))
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == 300
    assert tokenizer.token_to_id("<|endoftext|>") == 0
    for _, text in corpus(20, seed=9):
        assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_training_on_nothing_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="no text to train on"):
        train_tokenizer(pa.chunked_array([["", ""]], pa.large_string()), TokenizerSettings())


def test_a_given_file_and_training_fields_together_are_refused():
    TokenizerSettings(file="x.json")
    with pytest.raises(ValueError, match="remove vocabulary_size"):
        TokenizerSettings(file="x.json", vocabulary_size=4096)


def test_merging_measures_is_measuring_the_whole():
    documents = [*corpus(100), ("empty", "")]
    whole = CorpusMeasure()
    parts = []
    for source, some in (("web", documents[:60]), ("books", documents[60:])):
        for batch in batches(some, 16, source):
            whole.add(batch, 3)
            part = CorpusMeasure()
            part.add(batch, 3)
            parts.append(CorpusMeasure.from_json(part.to_json()))
    assert CorpusMeasure.total(parts[::-1]) == whole
    assert whole.documents == 101
    assert whole.bytes == sum(len(text.encode()) for _, text in documents)
