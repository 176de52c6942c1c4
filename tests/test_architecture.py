"""The arrows between packages and rooms are what docs/architecture.md says they are."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("dataprep", "pipelines", "trainer")
NEVER = {
    "dataprep": {"apache_beam", "torch", "pipelines", "trainer"},
    "pipelines": {"torch", "trainer"},
    "trainer": {"apache_beam", "pipelines"},
}
HEADER = "| room | imports |"


def modules(package):
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imported(path, module, is_package):
    """Every module name an import statement of the file mentions, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import; imports here are absolute"
            assert node.module
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                place = ROOT / full.replace(".", "/")
                yield full if place.with_suffix(".py").exists() or place.is_dir() else node.module


def room(module):
    """A package's rooms are its folders and its ground-floor files."""
    return ".".join(module.split(".")[:2])


def arrows():
    found = {}
    for package in PACKAGES:
        for module, path in modules(package):
            mine = found.setdefault(room(module), set())
            for name in imported(path, module, path.name == "__init__.py"):
                if name.split(".")[0] in PACKAGES and room(name) not in (room(module), package):
                    mine.add(room(name))
    return {name: targets for name, targets in found.items() if "." in name}


def documented():
    lines = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").splitlines()
    start = lines.index(HEADER) + 2
    table = {}
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        name, targets = (cell.strip() for cell in line.strip("|").split("|"))
        table[name.strip("`")] = {t.strip().strip("`") for t in targets.split(",") if t.strip() not in ("", "—")}
    return table


def render(table):
    rows = [f"| `{name}` | {', '.join(f'`{t}`' for t in sorted(table[name])) or '—'} |" for name in sorted(table)]
    return "\n".join([HEADER, "| --- | --- |", *rows])


@pytest.mark.parametrize("package", PACKAGES)
def test_no_package_imports_what_it_must_never_import(package):
    for module, path in modules(package):
        tops = {name.split(".")[0] for name in imported(path, module, False)}
        assert not tops & NEVER[package], f"{module} imports {tops & NEVER[package]}"


def test_the_trainer_reads_shards_and_nothing_else_of_dataprep():
    for module, path in modules("trainer"):
        for name in imported(path, module, False):
            assert not name.startswith("dataprep") or name.startswith("dataprep.shards"), f"{module} imports {name}"


def test_the_architecture_page_lists_exactly_the_arrows_there_are():
    actual = arrows()
    assert documented() == actual, "docs/architecture.md should say:\n" + render(actual)


def test_no_room_imports_in_a_circle():
    graph = arrows()
    done, path = set(), []

    def visit(name):
        assert name not in path, "circle: " + " → ".join([*path[path.index(name) :], name])
        if name in done:
            return
        path.append(name)
        for target in graph.get(name, ()):
            visit(target)
        path.pop()
        done.add(name)

    for name in graph:
        visit(name)


def test_dataprep_and_reading_a_shard_need_neither_beam_nor_torch():
    code = (
        "import sys\n"
        "for name in ('apache_beam', 'torch'): sys.modules[name] = None\n"
        "import dataprep, dataprep.shards, dataprep.recipe, dataprep.report\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_every_package_has_a_docstring_map():
    for package in PACKAGES:
        for module, path in modules(package):
            if path.name == "__init__.py":
                doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
                for sibling in path.parent.glob("[a-z]*.py"):
                    assert sibling.stem in doc, f"the docstring of {module} does not mention {sibling.stem}"


def test_files_stay_small():
    long = [str(p) for package in PACKAGES for _, p in modules(package) if len(p.read_text().splitlines()) > 500]
    assert not long
