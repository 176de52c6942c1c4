"""Configuration: what lies over what, and one line for what is wrong."""

from pathlib import Path

import pytest

from trainer.config import differences, load_config, parse_config
from trainer.presets import PRESETS


def test_every_preset_is_valid_and_survives_json() -> None:
    for tree in PRESETS.values():
        config = parse_config(tree)
        assert parse_config(config.model_dump(mode="json")) == config


def test_flags_lie_over_assignments_over_the_file_over_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("preset: mini\nsteps: 7\nseed: 7\nmodel: {layers: 7}\noptimizer: {learning_rate: 7e-3}\n")
    config = load_config(None, str(file), ["seed=8", "model.layers=8"], {"seed": 9})
    assert (config.steps, config.model.layers, config.seed) == (7, 8, 9)
    assert config.optimizer.learning_rate == 7e-3
    assert config.model.width == PRESETS["mini"]["model"]["width"]
    assert load_config("tiny", str(file)).model.width == PRESETS["tiny"]["model"]["width"]


@pytest.mark.parametrize(
    ("assignment", "names"),
    [
        ("model.layers=none", ["model.layers", "'none'", "integer"]),
        ("model.layers=0", ["model.layers", "0", "greater than or equal to 1"]),
        ("model.depth=3", ["model.depth", "not a field", "layers"]),
        ("learning_rate=3", ["learning_rate", "not a field", "optimizer"]),
        ("model.width=130", ["model.width", "130", "multiples of heads"]),
        ("model.kv_heads=3", ["model.kv_heads", "3", "divisors of heads"]),
        ("schedule.shape=step", ["schedule.shape", "'step'", "'cosine'", "'wsd'"]),
        ("tokens_per_step=1000", ["tokens_per_step", "1000", "multiples", "256"]),
        ("optimizer=3", ["optimizer", "3"]),
        ("optimizer.learning_rate", ["--set optimizer.learning_rate", "field=value"]),
        ("steps=[1", ["--set steps=[1", "YAML"]),
        ("device=tpu", ["device", "'tpu'", "'cpu'"]),
        ("data.packing=tight", ["data.packing", "'tight'", "'documents'"]),
        ("data.mixture=[{weights: {a: -1}}]", ["data.mixture.0.weights.a", "-1", "greater than or equal to 0"]),
        ("data.mixture=[{weights: {a: 0, b: 0}}]", ["data.mixture.0", "weights", "'b': 0", "above 0"]),
        ("data.mixture=[{weigths: {a: 1}}]", ["data.mixture.0.weigths", "not a field", "from_step, weights"]),
        ("data.mixture=[{from_step: 3, weights: {a: 1}}]", ["data.mixture", "[3]", "the first 0"]),
        (
            "data.mixture=[{weights: {a: 1}}, {from_step: 9, weights: {a: 1}}, {from_step: 9, weights: {b: 1}}]",
            ["data.mixture", "[0, 9, 9]", "rising"],
        ),
        ("data.max_epochs={a: 0}", ["data.max_epochs.a", "0", "greater than 0"]),
    ],
)
def test_a_wrong_field_is_one_line_naming_it_its_value_and_what_is_allowed(assignment: str, names: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        load_config(assignments=[assignment])
    message = str(caught.value)
    assert all(name in message for name in names), message


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'huge'.*tiny, mini"):
        load_config("huge")


def test_a_file_that_is_no_mapping_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "list.yaml"
    file.write_text("- steps\n")
    with pytest.raises(ValueError, match=r"list\.yaml: a list"):
        load_config(file=str(file))


def test_differences_are_named_by_their_path() -> None:
    before, now = load_config(), load_config(assignments=["model.layers=5", "seed=3"])
    assert differences(before, now) == {"model.layers": (before.model.layers, 5), "seed": (before.seed, 3)}
