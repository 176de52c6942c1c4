"""What is said of a tokenizer is what encoding its sample shows."""

import pyarrow as pa
import pytest

from dataprep.tokens.encode import Encoder
from dataprep.tokens.measure import CorpusMeasure, GroupMeasure
from dataprep.tokens.sample import SCHEMA
from dataprep.tokens.settings import TokenizerSettings
from dataprep.tokens.train import train_tokenizer
from dataprep.tokens.vocabulary import VocabularyUse

TEXTS = [
    ("web", "en", "the mill grinds " * 40),
    ("web", "zh", "磨坊磨面粉" * 5),
    ("books", "en", "the mill"),
    ("x", "", ""),
]
SETTINGS = TokenizerSettings(vocabulary_size=300, special_tokens=("<|user|>",))


def rows(texts):
    columns = {
        "order": list(range(len(texts))),
        "id": [bytes([i] * 16) for i in range(len(texts))],
        "text": [text for _, _, text in texts],
        "source": [source for source, _, _ in texts],
        "language.label": [language for _, language, _ in texts],
    }
    return pa.record_batch(columns, schema=SCHEMA)


@pytest.fixture(scope="module")
def encoder():
    texts = pa.chunked_array([rows(TEXTS).column("text")])
    return Encoder(train_tokenizer(texts, SETTINGS), "<|endoftext|>")


@pytest.fixture(scope="module")
def use(encoder):
    return VocabularyUse.of(encoder, rows(TEXTS), SETTINGS)


def test_bytes_and_tokens_are_those_of_each_source_and_language(encoder, use):
    found = {(group.source, group.language): (group.bytes, group.tokens) for group in use.groups}
    assert found == {
        (source, language): (len(text.encode()), len(encoder.tokenizer.encode(text).ids))
        for source, language, text in TEXTS
        if text
    }
    assert use.sample_tokens == sum(tokens for _, tokens in found.values())
    assert VocabularyUse.from_json(use.to_json()) == use


def test_unused_tokens_are_those_that_no_text_has_and_control_tokens_are_none(encoder, use):
    ids = {number for _, _, text in TEXTS for number in encoder.tokenizer.encode(text).ids}
    everything = set(encoder.tokenizer.get_vocab().values())
    assert use.control_tokens == {"<|endoftext|>": 0, "<|user|>": 1}
    assert use.tokens == len(everything) - 2
    assert use.unused == len(everything - ids) - 2
    merged = sorted(number for number in everything - ids if number >= 258)
    assert merged
    assert [token.id for token in use.unused_first] == merged[:20]


def test_the_longest_tokens_come_first_with_their_bytes_and_counts(use):
    assert [token.bytes for token in use.longest] == sorted((token.bytes for token in use.longest), reverse=True)
    assert next(token for token in use.longest if token.text == " grinds").count == 40


def test_the_corpus_tokens_are_estimated_by_source_and_language(use):
    web, chinese = ((group.bytes, group.tokens) for group in use.groups if group.source == "web")
    groups = {("web", "en"): GroupMeasure(1, web[0] * 1000), ("web", "zh"): GroupMeasure(1, chinese[0] * 10)}
    assert use.corpus_tokens(CorpusMeasure(groups)) == web[1] * 1000 + chinese[1] * 10
    other = CorpusMeasure({("new", "fr"): GroupMeasure(1, use.sample_bytes * 7)})
    assert use.corpus_tokens(other) == use.sample_tokens * 7
