"""A rule set named after a tool gives that tool's verdicts, document by document."""

import json
from importlib.resources import files
from typing import Any

import pytest

from benchmarks.cleaning import CHAIN, REASONS, batches, ours
from dataprep.clean.settings import CleanSettings
from dataprep.rules import load_rule_set, rule_set_names
from tests.dataprep.clean import boundary

GOPHER = load_rule_set("gopher@datatrove-0.10")
REPETITION = [rule.reject for rule in GOPHER.rules if rule.when.startswith("repetition.")]
SETS: dict[str, list[dict[str, Any]]] = {
    "gopher": [{"use": "gopher@datatrove-0.10"}],
    "quality": [{"use": "gopher@datatrove-0.10", "without": REPETITION}],
    "c4": [{"use": "c4@datatrove-0.10"}],
    "fineweb": [{"use": "fineweb@datatrove-0.10"}],
    "chain": CHAIN,
}
# datatrove divides by zero, and its run ends; here the text is short
WITHOUT_TEXT = {"gopher": "short_doc", "quality": "short_doc", "chain": "short_doc"}


@pytest.mark.parametrize("name", SETS)
def test_boundary_documents_have_the_verdicts_and_reasons_of_datatrove(name: str) -> None:
    verdicts = json.loads(boundary.VERDICTS.read_text(encoding="utf-8"))
    named = list(boundary.documents())
    assert [document for document, _ in named] == list(verdicts)
    settings = CleanSettings.model_validate({"rules": SETS[name]})
    reasons, lengths, _ = ours(settings, batches([text for _, text in named]))
    expected = {document: REASONS.get(told[name], told[name]) for document, told in verdicts.items()}
    expected = {
        document: WITHOUT_TEXT[name] if str(reason).startswith("error") else reason
        for document, reason in expected.items()
    }
    assert dict(zip(expected, reasons, strict=True)) == expected
    if name == "c4":
        kept = [i for i, reason in enumerate(reasons) if reason is None]
        assert [lengths[i] for i in kept] == [list(verdicts.values())[i]["length"] for i in kept]


@pytest.mark.parametrize("name", rule_set_names())
def test_every_set_says_where_it_comes_from(name: str) -> None:
    text = files("dataprep.rulesets").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    comment = " ".join(line for line in text.splitlines() if line.startswith("#"))
    assert "arXiv" in comment or ".py" in comment or "gopher_quality" in comment
