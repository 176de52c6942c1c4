"""Configuration: what lies over what, and one line for what is wrong."""

from pathlib import Path

import pytest

from trainer.config import differences, load_config, parse_config
from trainer.presets import DEEPEST, PRESETS


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


def test_depth_sets_width_heads_feed_forward_rate_and_length() -> None:
    """Depth 12 is GPT-2's smallest; depth 3 by hand: width 192, feed-forward 512, 3 · (4 · 192² + 3 · 192 · 512)."""
    twelve, three = load_config(assignments=["depth=12"]), load_config(assignments=["depth=3"])
    of_gpt2 = PRESETS["gpt2"]["model"] | {"context": 2_048}
    assert twelve.model.model_dump(include=of_gpt2.keys()) == of_gpt2
    assert (twelve.optimizer.learning_rate, twelve.tokens_per_step) == (6e-4, 524_288)
    assert (three.model.width, three.model.heads, three.model.feed_forward) == (192, 3, 512)
    assert three.optimizer.learning_rate == pytest.approx(2 * 6e-4)
    # 1,327,104 parameters, a 64th of depth 12's: 2^(19 - 6 · 0.383) is nearest to 2^17
    assert (three.tokens_per_step, three.steps) == (2**17, round(20 * 1_327_104 / 2**17))
    assert load_config(assignments=["depth=3", "steps=5", "model.width=384"]).model.width == 384


def test_every_depth_is_valid() -> None:
    for depth in range(1, DEEPEST + 1):
        config = load_config(assignments=[f"depth={depth}"])
        assert config.model.head_width == 64
        assert config.model.layers == depth


def test_depth_in_a_file_stands_in_place_of_a_preset(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("depth: 4\nsteps: 7\n")
    config = load_config(file=str(file))
    assert (config.model.width, config.steps) == (256, 7)
    with pytest.raises(ValueError, match=r"depth is 4 and preset is 'mini': allowed is one"):
        load_config("mini", str(file))


@pytest.mark.parametrize(
    ("assignment", "names"),
    [
        ("model.layers=none", ["model.layers", "'none'", "integer"]),
        ("model.layers=0", ["model.layers", "0", "greater than or equal to 1"]),
        ("depth=0", ["depth", "0", "1 to 128"]),
        ("depth=deep", ["depth", "'deep'", "1 to 128"]),
        ("depth=true", ["depth", "True", "1 to 128"]),
        ("optimizer.kind=sgd", ["optimizer.kind", "'sgd'", "'adamw'", "'muon'"]),
        ("precision=float4", ["precision", "'float4'", "'float8'"]),
        ("compile=maybe", ["compile", "'maybe'", "'auto'", "True"]),
        ("recompute=all", ["recompute", "'all'", "'blocks'"]),
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
