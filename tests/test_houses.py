"""The arrows between the four houses, what may need torch, and what is declared."""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOUSES = ("golden", "hw", "sim", "boards")
MAY_IMPORT = {
    "golden": {
        "golden",
        "torch", "numpy", "soundfile", "soxr", "rich", "pesq", "speechmos", "onnxruntime",
        "onnx",
    },
    "hw": {
        "hw",
        "golden.layer", "golden.monitor", "golden.netfile", "golden.network",
        "amaranth", "numpy",
    },
    "sim": {"golden", "hw", "sim", "numpy", "amaranth", "cocotb", "cocotb_tools", "find_libpython"},
    "boards": {
        "golden", "hw", "sim", "boards",
        "numpy", "amaranth", "amaranth_boards", "rich", "matplotlib", "serial", "cobs",
        "sounddevice",
    },
}
LIGHT = (
    "adds.engine",
    "agreement",
    "archive",
    "audio",
    "cache",
    "clip",
    "corners",
    "dnsmos",
    "experiment.claims",
    "experiment.fields",
    "experiment.memory",
    "experiment.records",
    "experiment.reading",
    "experiment.summary",
    "experiment.work",
    "files",
    "front_end",
    "layer",
    "listener",
    "mel",
    "monitor",
    "naive",
    "netfile",
    "network",
    "random_networks",
    "rules",
    "scoring",
    "sibling",
    "trace",
    "vectors",
)
"""The parts of `golden` that need NumPy and no torch: they load fast, wherever they are used."""

SOURCES = [*(p for house in HOUSES for p in sorted((ROOT / house).rglob("*.py")))]


def house_of(path: Path) -> str:
    """Name of the house that the file stands in, in whatever room."""
    return path.relative_to(ROOT).parts[0]


def imports(path: Path, *, lazy: bool = True) -> set[str]:
    """Dotted names that `path` imports; those within functions only if `lazy`."""
    found: set[str] = set()
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} must import by full names"
            assert all(alias.name != "*" for alias in node.names), f"{path.name} imports a star"
            module = node.module or ""
            local = module in HOUSES
            found |= {f"{module}.{a.name}" for a in node.names} if local else {module}
        elif lazy or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            todo += ast.iter_child_nodes(node)
    return found


def allowed(name: str, permitted: set[str]) -> bool:
    """Whether `name` is among `permitted` or lies within one of them."""
    parts = name.split(".")
    prefixes = {".".join(parts[: i + 1]) for i in range(len(parts))}
    return parts[0] in sys.stdlib_module_names or bool(prefixes & permitted)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: f"{house_of(p)}.{p.stem}")
def test_arrows(path: Path) -> None:
    permitted = MAY_IMPORT[house_of(path)]
    outside = {name for name in imports(path) if not allowed(name, permitted)}
    assert not outside, f"{house_of(path)} must not import {sorted(outside)}"


def test_an_arrow_the_wrong_way_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "wrong.py"
    path.write_text("import os.path\ndef late():\n    from hw.array import Array\n")
    seen = imports(path)
    assert seen == {"os.path", "hw.array"}
    assert not allowed("hw.array", MAY_IMPORT["golden"])
    assert allowed("os.path", MAY_IMPORT["golden"])
    assert allowed("golden.network", MAY_IMPORT["hw"])
    assert not allowed("golden.model", MAY_IMPORT["hw"])
    assert imports(path, lazy=False) == {"os.path"}


def module_path(name: str) -> Path:
    """Path of ``golden.<name>``."""
    return ROOT.joinpath("golden", *name.split(".")).with_suffix(".py")


def loads(name: str, seen: set[str] | None = None) -> set[str]:
    """Every module that importing ``golden.<name>`` loads, followed through `golden`."""
    seen = set() if seen is None else seen
    for found in imports(module_path(name), lazy=False):
        if found in seen:
            continue
        seen.add(found)
        house, _, inner = found.partition(".")
        if house == "golden" and module_path(inner).is_file():
            loads(inner, seen)
    return seen


@pytest.mark.parametrize("name", LIGHT)
def test_light_parts_do_not_load_torch(name: str) -> None:
    assert "torch" not in {module.partition(".")[0] for module in loads(name)}


def test_the_search_for_torch_finds_it() -> None:
    assert "torch" in loads("torch_engine")


def test_the_search_follows_rooms_within_the_house() -> None:
    assert {"golden.adds.plan", "golden.layer", "ctypes"} <= loads("adds.engine")


def test_packages_hold_a_docstring_only() -> None:
    for package in (path for path in SOURCES if path.name == "__init__.py"):
        body = ast.parse(package.read_text(encoding="utf-8")).body
        assert len(body) == 1
        assert isinstance(body[0], ast.Expr)


def test_every_import_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    declared = {
        requirement.split(">")[0].lower().replace("-", "_")
        for group in (project["dependencies"], *extras)
        for requirement in group
    }
    used = {
        name.partition(".")[0]
        for path in (*SOURCES, ROOT / "bambino.py", *(ROOT / "tools").glob("*.py"))
        for name in imports(path)
    } - {*sys.stdlib_module_names, *HOUSES}
    owners = packages_distributions()
    undeclared = {
        name
        for name in used
        if not {o.lower().replace("-", "_") for o in (name, *owners.get(name, []))} & declared
    }
    assert not undeclared
