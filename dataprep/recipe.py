"""What a run is: one YAML file, validated here, that reads like a paper's method section.

Every number that decides a byte of the output is in it; what only decides how fast (workers, runner, memory) is on the
command line instead. Each craft owns its part (`dataprep/*/settings.py`); this module puts the parts together, reads
the file, applies ``--set`` overrides and turns a mistake into one line naming the field, the value and what is allowed.
"""

import difflib
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from dataprep.clean.settings import CleanSettings
from dataprep.crawl.settings import CrawlSettings
from dataprep.dedup.settings import DedupSettings
from dataprep.document import PAGE_SIGNALS
from dataprep.html.settings import ExtractSettings
from dataprep.passages.settings import PassageSettings
from dataprep.settings import Settings
from dataprep.sources.settings import FilesSettings
from dataprep.tokens.settings import ShardSettings, TokenizerSettings

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)]


class RecipeError(ValueError):
    """A recipe that cannot be used; the message is for the person who wrote it, one line a mistake."""


class Source(Settings):
    """Where documents come from: a site that is crawled, or files that are read. Exactly one of the two."""

    name: Name
    crawl: CrawlSettings | None = None
    files: FilesSettings | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "Source":
        if (self.crawl is None) == (self.files is None):
            raise ValueError("needs exactly one of 'crawl' and 'files'")
        return self


class Recipe(Settings):
    """A whole run. ``seed`` decides every choice that is random: sample, split, shard, order.

    ``clean: null`` takes documents as they are: nothing is measured, edited or rejected before they are compared.
    """

    name: Name
    description: str = ""
    seed: int = Field(default=0, ge=0, lt=2**63)
    sources: tuple[Source, ...] = Field(min_length=1)
    extract: ExtractSettings = ExtractSettings()
    clean: CleanSettings | None = CleanSettings()
    deduplicate: DedupSettings = DedupSettings()
    passages: PassageSettings | None = None
    tokenizer: TokenizerSettings = TokenizerSettings()
    shards: ShardSettings = ShardSettings()

    @model_validator(mode="after")
    def _unique_names(self) -> "Recipe":
        names = [source.name for source in self.sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"source names must differ: {', '.join(twice)} given more than once")
        return self

    @model_validator(mode="after")
    def _measured_columns(self) -> "Recipe":
        measured = (*PAGE_SIGNALS.names, *(self.clean.columns().names if self.clean else ()))
        for name in self.shards.columns:
            if name not in measured:
                raise ValueError(f"shards.columns: {name!r} is measured by no step; allowed: {', '.join(measured)}")
            if self.shards.columns.count(name) > 1:
                raise ValueError(f"shards.columns: {name!r} is given more than once")
        return self

    def document_stages(self) -> tuple[str, ...]:
        """The stages that leave documents, in order: each takes those of the one before."""
        wanted = {"clean": self.clean is not None, "passages": self.passages is not None}
        return tuple(name for name in ("documents", "clean", "unique", "passages") if wanted.get(name, True))


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read and validate a recipe. ``overrides`` are ``field.path=value`` texts, the value in YAML.

    A source is addressed by its name: ``sources.web.crawl.max_pages=100``, a rule or rule set by its reason:
    ``clean.rules.gopher_quality.change.short_doc=20``. Raises ``RecipeError``.
    """
    try:
        value = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"recipe {path} does not exist; `dataprep recipes` lists those that come along") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"recipe {path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise RecipeError(f"recipe {path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(value, dict):
        raise RecipeError(f"recipe {path} must be a mapping with the fields {_names(Recipe)}")
    for override in overrides:
        apply_override(value, override)
    return parse_recipe(value, str(path))


def parse_recipe(value: Mapping[str, Any], where: str = "recipe") -> Recipe:
    try:
        return Recipe.model_validate(value)
    except ValidationError as error:
        raise RecipeError("\n".join(f"{where}: {line}" for line in explain(error, Recipe, value))) from None


def apply_override(value: dict[str, Any], override: str) -> None:
    """Set one field of the recipe's raw form in place. Raises ``RecipeError`` when the path cannot be followed."""
    path, equals, text = override.partition("=")
    if not equals or not path:
        raise RecipeError(f"--set {override}: must be FIELD=VALUE, as in seed=7 or clean.rules=[]")
    try:
        new = yaml.safe_load(text)
    except yaml.YAMLError:
        raise RecipeError(f"--set {override}: the value is not YAML") from None
    keys = path.split(".")
    here: Any = value
    for depth, key in enumerate(keys[:-1]):
        here = _step(here, key, ".".join(keys[: depth + 1]), override)
    if isinstance(here, list):
        here[_position(here, keys[-1], path, override)] = new
    elif isinstance(here, dict):
        here[keys[-1]] = new
    else:
        raise RecipeError(f"--set {override}: {'.'.join(keys[:-1])} is a value and has no fields")


def _step(here: Any, key: str, path: str, override: str) -> Any:
    if isinstance(here, list):
        return here[_position(here, key, path, override)]
    if not isinstance(here, dict):
        raise RecipeError(f"--set {override}: {path} is below a value that has no fields")
    if here.get(key) is None:
        here[key] = {}
    return here[key]


def _position(here: list[Any], key: str, path: str, override: str) -> int:
    names = [_name(item) if isinstance(item, dict) else None for item in here]
    if key in names:
        return names.index(key)
    if key.isdigit() and int(key) < len(here):
        return int(key)
    known = ", ".join(str(name) for name in names if name) or f"0 to {len(here) - 1}"
    raise RecipeError(f"--set {override}: {path} does not exist; allowed: {known}")


def _name(item: Mapping[str, Any]) -> str | None:
    """What members of a list are addressed by: a source by its name, a rule as in the reasons it gives."""
    rule_set = str(item.get("use") or "").partition("@")[0]
    return item.get("name") or item.get("as") or item.get("reject") or rule_set or None


def explain(error: ValidationError, model: type[BaseModel], value: Any) -> list[str]:
    """One line for each mistake: the field's path, the value given, and what is allowed."""
    lines = []
    items = error.errors(include_url=False)
    for item in items:
        location = item["loc"]
        if any(len(o["loc"]) > len(location) and o["loc"][: len(location)] == location for o in items):
            continue  # a list that lost its invalid member also counts as too short
        field = ".".join(str(part) for part in _named_location(item["loc"], value)) or "recipe"
        given = item.get("input")
        if item["type"] == "extra_forbidden":
            allowed = _fields_at(model, item["loc"][:-1])
            close = difflib.get_close_matches(str(item["loc"][-1]), allowed, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ";"
            lines.append(f"{field}: unknown field{hint} allowed: {', '.join(allowed)}")
        elif item["type"] == "missing":
            lines.append(f"{field}: is required and missing")
        else:
            message = item["msg"].removeprefix("Value error, ")
            shown = "" if isinstance(given, dict | list | BaseModel) or given is None else f" {given!r}:"
            lines.append(f"{field}:{shown} {message[0].lower()}{message[1:]}")
    return lines


def _named_location(location: Sequence[str | int], value: Any) -> list[str | int]:
    # people know their sources by name, not by position
    named: list[str | int] = []
    here = value
    for part in location:
        if isinstance(part, str) and part[:1].isupper():
            continue  # the class that pydantic tried for a member of a union
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            here = None
        name = here.get("name") if isinstance(part, int) and isinstance(here, dict) else None
        named.append(name if isinstance(name, str) else part)
    return named


def _fields_at(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    current: Any = model
    for part in location:
        models = _models(current)
        if isinstance(part, str):
            matching = [m for m in models if part in m.model_fields]
            if matching:
                current = matching[0].model_fields[part].annotation
            else:  # the tag of a union member
                tagged = [m for m in models if m.__name__ == part]
                current = tagged[0] if tagged else current
    return sorted({field.alias or name for m in _models(current) for name, field in m.model_fields.items()})


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, types.UnionType, tuple, list, dict, Annotated):
        return [model for part in get_args(annotation) for model in _models(part)]
    return []


def _names(model: type[BaseModel]) -> str:
    return ", ".join(model.model_fields)
