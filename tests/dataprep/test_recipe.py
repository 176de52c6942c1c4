"""A recipe's mistakes are named; its page lists every field; the bundled ones are valid."""

from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from dataprep.clean.catalogue import STEPS
from dataprep.clean.settings import CleanSettings
from dataprep.recipe import Recipe, RecipeError, _models, load_recipe, parse_recipe

ROOT = Path(__file__).parents[2]
SMALL = {
    "name": "x",
    "sources": [{"name": "web", "files": {"paths": ["a.txt"]}}],
    "clean": {
        "rules": [{"use": "gopher_quality"}, {"reject": "english", "when": "language.score", "below": 0.65}],
    },
}


def sections(model=Recipe, path=""):
    """Every settings model below ``model`` with the dotted path it is found at."""
    yield path, model
    for name, field in model.model_fields.items():
        for inner in _models(field.annotation):
            yield from sections(inner, f"{path}.{name}".lstrip("."))
    if model is CleanSettings:
        yield from ((f"clean.steps: {name}", step) for name, step in STEPS.items())


def table(model: type[BaseModel]) -> list[str]:
    rows = ["| field | default |", "| --- | --- |"]
    for name, field in model.model_fields.items():
        if field.is_required():
            shown = "required"
        else:
            default = field.get_default(call_default_factory=True)
            shown = "see below" if isinstance(default, BaseModel) else f"`{_yaml(default)}`"
        rows.append(f"| `{field.alias or name}` | {shown} |")
    return rows


def _yaml(value):
    plain = list(value) if isinstance(value, tuple) else value
    shown = yaml.safe_dump(plain, default_flow_style=True, width=1000, allow_unicode=True)
    return shown.removesuffix("\n").removesuffix("\n...")


def test_the_recipe_page_lists_every_field_with_its_default():
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8").splitlines()
    for path, model in sections():
        wanted = table(model)
        starts = [i for i, line in enumerate(page) if line == f"### `{path or 'the recipe'}`: {model.__name__}"]
        assert starts, f"docs/recipes.md lacks the heading ### `{path or 'the recipe'}`: {model.__name__}"
        found = [line for line in page[starts[0] + 1 :] if line.startswith("|")][: len(wanted)]
        assert found == wanted, f"{path} should be:\n" + "\n".join(wanted)


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda p: p.stem)
def test_bundled_recipes_are_valid_and_described(path):
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe.description


def test_a_recipe_survives_its_json_form():
    recipe = load_recipe(ROOT / "recipes" / "demo.yaml")
    assert parse_recipe(recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize(
    ("override", "check"),
    [
        ("seed=7", lambda r: r.seed == 7),
        ("deduplicate.threshold=0.5", lambda r: r.deduplicate.threshold == 0.5),
        ("sources.web.files.paths=[b.txt, c.txt]", lambda r: r.sources[0].files.paths == ("b.txt", "c.txt")),
        ("sources.0.name=other", lambda r: r.sources[0].name == "other"),
        ("clean.rules.gopher_quality.change.short_doc=20", lambda r: r.clean.rules[0].change == {"short_doc": 20}),
        ("clean.rules.english.below=0.5", lambda r: r.clean.rules[1].below == 0.5),
    ],
)
def test_a_field_is_overridden_by_its_path(tmp_path, override, check):
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    assert check(load_recipe(path, [override]))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("seed", ["--set seed", "FIELD=VALUE"]),
        ("sources.wob.name=x", ["sources.wob", "web"]),
        ("seed.x=1", ["seed"]),
        ("deduplicate.treshold=0.5", ["deduplicate.treshold", "did you mean 'threshold'"]),
        ("sources.web.files.format=pdf", ["sources.web.files.format", "'pdf'", "'warc'"]),
        ("clean.rules=[{use: gopher}]", ["clean.rules.0", "gopher", "gopher_quality"]),
        ("clean.rules=[{reject: x, when: gopher.wrods, below: 3}]", ["gopher.wrods", "gopher.words"]),
    ],
)
def test_a_mistaken_override_names_field_value_and_what_is_allowed(tmp_path, override, words):
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, [override])
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value), str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["does not exist"]),
        ("- a\n- b\n", ["must be a mapping", "sources"]),
        ("a: [1\n", ["is not YAML"]),
        ("name: x\nsources: [{name: a}]\n", ["sources.a", "exactly one of 'crawl' and 'files'"]),
        ("name: X\nsources: [{name: a, files: {paths: [b]}}]\n", ["name", "'X'"]),
    ],
)
def test_an_unusable_recipe_says_why(tmp_path, content, words):
    path = tmp_path / "r.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    for word in words:
        assert word in str(caught.value), str(caught.value)


def test_two_sources_of_one_name_are_refused():
    with pytest.raises(RecipeError, match="web given more than once"):
        parse_recipe({**SMALL, "sources": SMALL["sources"] * 2})
