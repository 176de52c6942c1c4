"""Scores of a classifier: the label's probability, one column for each model, clear messages."""

from pathlib import Path
from typing import Any

import fasttext
import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dataprep.clean.catalogue import dump_step, make_step
from dataprep.clean.settings import CleanSettings
from dataprep.models import LANGUAGES_176, MAGIC, load_model, model_fingerprint, model_labels, model_path
from dataprep.signals.classifier import Classifier, as_lines
from dataprep.steps import apply_steps
from tests.dataprep.signals.test_language import SENTENCES

PROSE = "The river runs slowly through the valley, and the people who live there fish in it."
SPAM = "BUY CHEAP PILLS NOW!!! Best price, click here, free shipping, win a prize"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three labels, by a plain call of fastText: such a model is not one of ours."""
    folder = tmp_path_factory.mktemp("model")
    rows = [("__label__hq", PROSE), ("__label__cc", SPAM), ("__label__none", "lorem ipsum dolor sit amet")] * 20
    (folder / "train.txt").write_text("".join(f"{label} {text}\n" for label, text in rows))
    found = fasttext.train_supervised(str(folder / "train.txt"), dim=4, lr=1.0, epoch=20, thread=1, verbose=0, bucket=0)
    found.save_model(str(folder / "model.bin"))
    return str(folder / "model.bin")


def batch(*texts: str) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, pa.large_string())})


def scored(step: Classifier, *texts: str) -> list[float]:
    (name,) = step.columns.names
    return step(batch(*texts)).column(name).to_pylist()


def test_the_score_is_the_probability_of_the_label_with_four_decimals(model: str) -> None:
    reference = load_model(model)
    for label in ("hq", "cc", "none"):
        found = scored(Classifier(model=model, label=label), PROSE, SPAM, "river pills lorem", "unknown words")
        for text, score in zip((PROSE, SPAM, "river pills lorem", "unknown words"), found, strict=True):
            labels, values = reference.predict(text, k=3)
            assert score == min(round(dict(zip(labels, values, strict=True))[f"__label__{label}"], 4), 1)
    assert scored(Classifier(model=model, label="hq"), PROSE)[0] > 0.9


def test_lines_are_one_to_the_model_and_a_document_without_words_scores_nothing(model: str) -> None:
    step = Classifier(model=model, label="hq")
    for space in ("\n", "\r\n", "\u2028", "\x85", "\t"):
        assert scored(step, PROSE.replace(" ", space)) == scored(step, PROSE)
    assert scored(step, "", "\n \n", "\u3000") == [0.0] * 3


def test_neither_a_label_nor_an_end_of_line_in_a_text_hides_what_follows(model: str) -> None:
    step = Classifier(model=model, label="hq")
    honest = scored(step, f"{SPAM} {SPAM}")
    assert scored(step, f"__label__hq {SPAM} </s> {SPAM}", f"{SPAM} </s>{SPAM}") == honest * 2
    assert scored(Classifier(model=model, label="hq", lower_case=True), f"</S> {SPAM}")[0] < 0.5


def test_first_characters_and_lower_case_decide_what_is_read(model: str) -> None:
    text = PROSE + SPAM * 20
    assert scored(Classifier(model=model, label="hq"), text)[0] < 0.5
    assert scored(Classifier(model=model, label="hq", first_characters=len(PROSE)), text) == scored(
        Classifier(model=model, label="hq"), PROSE
    )
    upper = Classifier(model=model, label="cc")
    assert scored(Classifier(model=model, label="cc", lower_case=True), SPAM) == scored(upper, SPAM.lower())


@given(st.lists(st.text(), max_size=4))
def test_any_text_is_scored_alone_as_in_a_batch(model: str, texts: list[str]) -> None:
    step = Classifier(model=model, label="hq")
    found = scored(step, *texts)
    assert all(0 <= score <= 1 for score in found)
    assert found == [score for text in texts for score in scored(step, text)]


def test_a_slice_of_a_batch_is_scored_as_it_is(model: str) -> None:
    step = Classifier(model=model, label="hq")
    assert step(batch("", PROSE, SPAM).slice(1)).column("classifier.score").to_pylist() == scored(step, PROSE, SPAM)


def test_lines_are_those_of_splitlines() -> None:
    texts = ["a\nb\r\nc\x0bd\x0ce\x1cf\x85g\u2028h\u2029i\n", "", "ÀÉ"]
    column = pa.array(texts, pa.large_string())
    assert as_lines(column, None, False) == [" ".join(text.splitlines()) for text in texts]
    assert as_lines(column, 2, True) == ["a", "", "àé"]


def test_several_models_run_under_different_names(model: str) -> None:
    settings = CleanSettings.model_validate(
        yaml.safe_load(f"""
steps:
  - {{classifier: {{model: {model}, label: hq}}}}
  - {{classifier: {{model: {model}, label: cc, as: spam}}}}
rules:
  - {{reject: quality, when: classifier.score, below: 0.1}}
  - {{reject: spam, when: classifier.spam, above: 0.9}}
""")
    )
    assert settings.columns().names == ["classifier.score", "classifier.spam"]
    measured, bad = apply_steps(settings.resolved_steps(), batch(PROSE, SPAM))
    assert not bad
    assert measured.column("classifier.spam").to_pylist()[1] > 0.9 > measured.column("classifier.spam").to_pylist()[0]
    assert CleanSettings.model_validate_json(settings.model_dump_json()) == settings


def test_a_step_survives_its_entry_and_depends_on_the_models_bytes(model: str) -> None:
    step = make_step({"classifier": {"model": model, "label": "hq", "as": "edu", "first_characters": 9}})
    assert dump_step(step)["classifier"]["as"] == "edu"
    assert make_step(dump_step(step)) == step
    assert step.depends_on() == {"model": model_fingerprint(model)}


def test_labels_are_read_without_loading_the_model(model: str) -> None:
    assert set(model_labels(model)) == {"hq", "cc", "none"}
    assert len(model_labels(LANGUAGES_176)) == 176
    assert scored(Classifier(model=LANGUAGES_176, label="fr"), SENTENCES["fr"], SENTENCES["de"])[0] > 0.9


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("{}", "classifier.model: Field required"),
        ("{model: /nowhere.bin}", "classifier: model '/nowhere.bin' is not a file; allowed: a fastText model's path"),
        ("{model: MODEL}", "MODEL' has no label 'positive'; allowed: "),
        ("{model: lid.176}", "'lid.176' has no label 'positive'; allowed: en, ru, de"),
        ("{model: MODEL, label: hq, as: Edu Score}", "classifier.as: 'Edu Score': String should match pattern"),
        ("{model: MODEL, label: hq, column: x}", "no parameter 'column'; allowed: model, label, first_characters, "),
        ("{model: MODEL, label: hq, first_characters: 0}", "classifier.first_characters: 0: Input should be greater"),
        ("{model: CUT}", "CUT' has no labels: it is cut off, or not a classifier"),
        ("{model: VECTORS}", "VECTORS' has no labels: it is cut off, or not a classifier"),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(model: str, tmp_path: Path, parameters: str, message: str) -> None:
    content = model_path(model).read_bytes()
    (tmp_path / "CUT").write_bytes(content[: content.index(b"__label__") + 12])
    (tmp_path / "words.txt").write_text("some words " * 20)
    vectors = fasttext.train_unsupervised(
        str(tmp_path / "words.txt"), dim=2, minCount=1, thread=1, verbose=0, bucket=10
    )
    vectors.save_model(str(tmp_path / "VECTORS"))
    for name, path in (("MODEL", model), ("CUT", f"{tmp_path}/CUT"), ("VECTORS", f"{tmp_path}/VECTORS")):
        parameters = parameters.replace(name, path)
        message = message.replace("MODEL", model)
    with pytest.raises(ValidationError) as error:
        CleanSettings.model_validate({"steps": [{"classifier": yaml.safe_load(parameters)}]})
    lines: list[Any] = error.value.errors()
    assert len(lines) == 1
    assert message in lines[0]["msg"]


def test_a_file_that_begins_like_a_model_has_no_labels(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(MAGIC)
    with pytest.raises(ValueError, match="has no labels"):
        model_labels(str(tmp_path / "model.bin"))


def test_two_classifiers_of_one_name_are_refused(model: str) -> None:
    with pytest.raises(ValidationError, match="run once; given: classifier as score, classifier as score"):
        CleanSettings.model_validate({"steps": [{"classifier": {"model": model, "label": n}} for n in ("hq", "cc")]})


def test_a_rule_alone_cannot_say_which_model() -> None:
    with pytest.raises(ValidationError, match=r"no step measures 'classifier\.score'"):
        CleanSettings.model_validate({"rules": [{"reject": "quality", "when": "classifier.score", "below": 0.5}]})
