"""Other tools' words, against what those tools compute and against the rule in plain Python."""

from unicodedata import combining

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dataprep.dedup import _reference
from dataprep.dedup.minhash import signatures
from dataprep.dedup.normalise import english_tokens
from dataprep.dedup.sets import ShingleSets
from dataprep.dedup.settings import PRESETS, DedupSettings
from dataprep.dedup.simplify import plain, simplify
from dataprep.text.utf8 import Utf8
from tests.dataprep.dedup.test_sets import hashes_of
from tests.dataprep.dedup.test_words import HARD

# digits and their separators, marks that stay and have an order, marks that go, and ones between which nothing goes
MARKS = "0٣１𝟘½.,،٫⎖「、\u0301\u0327\u0308\u034f\u1b44\u302e\u302f\U00016ff0\U0001d165\U0001d15f\u1715가각ệİΣσ\0\x9f"
TEXTS = st.text(
    st.one_of(st.sampled_from(HARD), st.sampled_from(MARKS), st.sampled_from("aB c"), st.characters(codec="utf-8"))
)

# text, datatrove 0.10's simplify_text of it, and its English tokens if they are not what stands between the spaces
DATATROVE = [
    ("", "", None),
    ("  ", "", None),
    ("Hello, World!", "hello world", None),
    ("It costs $1,234.56 on 10.5.2020.", "it costs 0 0 on 0 0", None),
    ("１２３ ٣٫١٤ 1. 2,3,4 5..6 x1.y", "0 0 0 0 0 0 0 x0 y", None),
    ("Crème Brûlée naïve façade", "creme brulee naive facade", None),
    ("ΟΔΥΣΣΕΥΣ Σ ΑΣ.", "οδυσσευς σ ας", None),
    ("İstanbul ISPARTA", "istanbul isparta", None),
    ("한국어", "\u1112\u1161\u11ab\u1100\u116e\u11a8\u110b\u1165", None),
    ("a \u0301 b", "a  b", None),
    ("\u0301 a \u0301", "a", None),
    ("a\u1b44\u302e\u302f\u0301\u1b44b", "a\u1b44\u1b44\u302e\u302fb", None),
    ("tab\there\nnew\r\nline\x0bv\x0cf\x85n\u2028s", "tab here new line v f n s", None),
    (
        "you don't; dont IM cannot 10am e.g. U.S.A.",
        "you don t dont im cannot 0am e g u s a",
        "you don t do nt i m can not 0am e g u s a",
    ),
    ("snake_case `code` a-b–c—d", "snake case code a b c d", None),
    ("𝟘𝟙 ½ Ⅷ ²", "0 ½ ⅷ ²", None),
    ("\0NUL\x7f\x9f", "nul", None),
    ("“Quoted” «text» …done", "quoted text done", None),
    ("ﬁne ﷺ ؟ ، 、。", "ﬁne ﷺ ؟ ،", None),
    ("x\u0327\u0301y\u0301\u0327", "xy", None),
]


def rewritten(rewrite, texts):
    """Over a slice, so that offsets do not begin at 0."""
    found = rewrite(Utf8.of(pa.array(["before", *texts], pa.large_string()).slice(1)))
    return [bytes(found.values[a:b]).decode() for a, b in zip(found.offsets[:-1], found.offsets[1:], strict=True)]


@pytest.mark.parametrize(("text", "simplified", "tokens"), DATATROVE)
def test_datatroves_own_results_are_reproduced(text, simplified, tokens):
    assert rewritten(simplify, [text]) == [simplified] == [_reference.simplify(text)]
    assert rewritten(english_tokens, [text])[0].split() == (tokens or simplified).split()


@given(st.lists(TEXTS, max_size=4))
def test_texts_are_rewritten_as_the_rules_say(texts):
    assert rewritten(simplify, texts) == [_reference.simplify(text) for text in texts]
    assert rewritten(plain, texts) == [_reference.plain(text) for text in texts]


def test_every_code_point_is_rewritten_as_the_rules_say():
    text = "x ".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    assert rewritten(simplify, [text]) == [_reference.simplify(text)]
    assert rewritten(plain, [text]) == [_reference.plain(text)]


@pytest.mark.parametrize("marks", ["\u302e\u1b44", "\u0301\u0327", "\U0001d165\u302f"])
def test_endless_runs_of_marks_are_put_in_order_in_linear_time(marks):
    text = "a" + marks * 200_000
    first, second = sorted(marks, key=combining)
    assert rewritten(plain, [text]) == ["a" + first * 200_000 + second * 200_000]


@given(st.sampled_from(sorted(_reference.WORDS)), st.lists(TEXTS, max_size=3), st.integers(1, 4))
@settings(max_examples=150)
def test_shingles_are_runs_of_the_words_that_a_normalisation_names(name, texts, size):
    chosen = DedupSettings(normalisation=name, shingle=size, permutations=8, bands=1, rows=8)
    column = pa.array(texts, pa.large_string())
    expected = [_reference.shingles(text, size, name) for text in texts]
    sets = ShingleSets.of(column, chosen)
    assert hashes_of(sets) == [sorted(set(map(_reference.set_hash, shingles))) for shingles in expected]
    values, counts = signatures(column, chosen)
    assert counts.tolist() == [len(shingles) for shingles in expected]
    assert values.tolist() == [_reference.signature(text, size, 8, 1, name) for text in texts]


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_is_its_fields_and_others_override_them(name):
    chosen = DedupSettings(preset=name)
    assert chosen.model_dump() == DedupSettings().model_dump() | PRESETS[name] | {"preset": name}
    assert DedupSettings.model_validate(chosen.model_dump(mode="json")) == chosen
    other = DedupSettings(preset=name, threshold=0.9, bands=None, rows=None)
    assert (other.threshold, other.permutations) == (0.9, chosen.permutations)
    assert other.shape() == DedupSettings(threshold=0.9, permutations=chosen.permutations).shape()


def test_presets_have_the_bands_that_their_tools_use():
    shapes = {name: DedupSettings(preset=name).shape() for name in PRESETS}
    assert shapes == {
        "corpusmill": (21, 6),
        "fineweb": (14, 8),
        "datatrove": (14, 8),
        "text-dedup": (25, 10),
        "bigcode": (25, 10),
        "redpajama": (9, 13),
    }


def test_an_unknown_preset_is_refused_by_name():
    with pytest.raises(ValidationError, match="preset"):
        DedupSettings(preset="dolma")
