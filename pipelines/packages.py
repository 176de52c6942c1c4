"""Which packages of others the workers need: read from the import statements of what they run, before they run it."""

import ast
import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import packages_distributions, requires
from pathlib import Path

DISTRIBUTION = "corpusmill"
OURS = {"dataprep", "pipelines"}
MODULE_OF_OURS = re.compile(rf"({'|'.join(sorted(OURS))})(\.\w+)+")  # as text: `python -m`, a lookup by name
LOOK_UPS = ("find_spec", "import_module")


def needed_packages(modules: Iterable[str]) -> dict[str, str]:
    """Distributions that ``modules`` need, directly or through ours, each with the module of ours that needs it.

    ``modules`` are what a job's pickles name. Ours are followed through their import statements, those inside functions
    too. Not followed: what only a type checker imports, and what a ``try`` can do without.
    """
    found: dict[str, str] = {}
    todo = [(module, "the job graph") for module in sorted(modules)]
    seen: set[str] = set()
    while todo:
        module, importer = todo.pop()
        top = module.partition(".")[0]
        if module in seen or top in sys.stdlib_module_names:
            continue
        seen.add(module)
        found.setdefault(_distribution(top), importer)
        if top in OURS:
            todo += [(name, module) for name in sorted(_imports(module), reverse=True)]
    return dict(sorted(found.items()))


def _distribution(top: str) -> str:
    names = _distributions().get(top, [top])
    # of several that share a namespace (google), the one that we ask for
    return next((name for name in names if canonical(name) in declared_packages()[0]), names[0])


@cache
def _imports(module: str) -> frozenset[str]:
    """Every module that one of ours imports, starts as a child process or looks up by name; its own package first."""
    spec = _find(module)
    if spec is None or not spec.origin:
        return frozenset()
    package = module if spec.submodule_search_locations else module.rpartition(".")[0]
    found = {module.rpartition(".")[0]} - {""}
    for node in _needed_nodes(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                found.update(alias.name for alias in node.names)
            case ast.ImportFrom():
                source = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
                # what is imported from a package may be a module of it; names that are none are not found later
                found.update([source, *(f"{source}.{alias.name}" for alias in node.names)])
            case ast.Call(args=[ast.Constant(value=str(name)), *_]) if ast.unparse(node.func).endswith(LOOK_UPS):
                found.add(name)
            case ast.Constant(value=str(text)) if MODULE_OF_OURS.fullmatch(text):
                found.add(text)
    return frozenset(found)


def _needed_nodes(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        if isinstance(child, ast.Try) and any("Import" in ast.unparse(h.type) for h in child.handlers if h.type):
            for statement in [*child.orelse, *child.finalbody]:
                yield from _needed_nodes(statement)
            continue
        yield from _needed_nodes(child)


def _find(module: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(module)
    except ImportError:  # its parent is no package: a class or a function, then
        return None


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()  # reads every installed file list: once


@cache
def declared_packages() -> tuple[set[str], set[str]]:
    """Canonical names of the distributions that ours requires always, and of those in its extras."""
    checkout = Path(__file__).parents[1] / "pyproject.toml"
    if checkout.exists():  # what an image would be built from; the metadata of an editable installation may be older
        project = tomllib.loads(checkout.read_text(encoding="utf-8"))["project"]
        always = project["dependencies"]
        extra = [line for lines in project["optional-dependencies"].values() for line in lines]
    else:
        lines = requires(DISTRIBUTION) or []
        extra = [line for line in lines if "extra ==" in line]
        always = [line for line in lines if line not in extra]
    base, extras = ({canonical(re.split(r"[\s\[<>=!~;]", line)[0]) for line in lines} for lines in (always, extra))
    return base | {DISTRIBUTION}, extras


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
