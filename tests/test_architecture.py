"""The house: floors, sizes, what imports without torch, no configuration key that nothing reads."""

import ast
import importlib.util
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from slowfast.config import flatten, get_cfg

REPO = Path(__file__).resolve().parents[1]
FLOORS = (
    ("utils",),
    ("config",),
    ("lists", "parents"),
    ("video", "transforms", "losses", "solver", "ensemble", "report"),
    ("datasets", "models", "features"),
    ("engine",),
    ("demo",),
    ("apps",),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
ROOMS = sorted(FLOOR_OF)
SOURCES = sorted(
    path
    for pattern in ("slowfast/**/*.py", "tools/*.py", "gen_pseudo_tools/*.py", "workflow/*.py", "*.py")
    for path in REPO.glob(pattern)
)
TESTS = sorted((REPO / "tests").glob("**/*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 400, 60


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name_of(path: Path) -> str:
    """A path relative to the repository."""
    return str(path.relative_to(REPO))


def imported_modules(path: Path) -> set[str]:
    """Every module of this package that a file imports, also inside functions, relative imports resolved."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = list(path.relative_to(REPO).with_suffix("").parts[: -node.level]) if node.level else []
            base = ".".join([*package, *([node.module] if node.module else [])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return {module for module in found if module.split(".")[0] == "slowfast"}


def room_of(module: str) -> str | None:
    """The room of a module's dotted name, None for the package itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def test_every_room_has_a_floor():
    rooms = {path.name for path in (REPO / "slowfast").iterdir() if (path / "__init__.py").is_file()}
    assert rooms <= set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_down_and_not_sideways(room):
    wrong = []
    for path in sorted((REPO / "slowfast" / room).glob("**/*.py")):
        for module in imported_modules(path):
            other = room_of(module)
            if other in FLOOR_OF and other != room and FLOOR_OF[other] >= FLOOR_OF[room]:
                wrong.append(f"{name_of(path)} imports {module}")
    assert wrong == []


def test_the_package_imports_no_tool():
    tools = {"tools", "gen_pseudo_tools", "workflow", "test_ensemble_vote", "tests"}
    for path in sorted((REPO / "slowfast").glob("**/*.py")):
        for node in ast.walk(tree_of(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & tools, name_of(path)


def test_rooms_below_the_builders_take_no_configuration():
    wrong = []
    for room in (*FLOORS[0], *FLOORS[2], *FLOORS[3]):
        for path in sorted((REPO / "slowfast" / room).glob("**/*.py")):
            arguments = [node.arg for node in ast.walk(tree_of(path)) if isinstance(node, ast.arg)]
            wrong += [name_of(path)] if "cfg" in arguments else []
    assert wrong == []


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=name_of)
def test_files_and_functions_are_short(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE or name_of(path) == "slowfast/config/defaults.py", f"{lines} lines"
    for node in ast.walk(tree_of(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = node.end_lineno - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{node.name} has {length} lines"


@pytest.mark.parametrize("room", ["lists", "parents", "ensemble", "report", "config", "video"])
def test_imports_without_torch(room):
    script = f"""
import importlib, pkgutil, sys
sys.modules["torch"] = None
package = importlib.import_module("slowfast.{room}")
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=REPO, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@cache
def words_of(path: Path) -> frozenset[str]:
    """Attribute names and the dotted parts of text constants of a file, without its docstrings."""
    words: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute):
            words.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" not in node.value:
            words |= set(node.value.split("."))
    return frozenset(words)


@pytest.mark.parametrize("key", list(flatten(get_cfg())))
def test_every_configuration_key_is_read(key):
    """Some file outside `config` names the key together with its section.

    The names below DATA.SPLITS are free, so they count as one key; the roles of DATA.GAMMA are looked up by name.
    """
    parts = key.split(".")
    outside = [words_of(path) for path in SOURCES if "slowfast/config/" not in name_of(path)]
    if key.startswith("DATA.GAMMA."):
        assert any(parts[2].lower() in words or parts[2] in words for words in outside), "nothing reads it"
    if key.startswith(("DATA.GAMMA.", "DATA.SPLITS.")):
        parts = parts[:2]
    assert any(set(parts[-2:]) <= words for words in outside), "nothing reads it"


def test_the_two_halves_of_the_tests_are_all_of_them():
    """`make test` runs two processes; no folder is left out or run twice, and every name of the first one exists."""
    path = REPO / "tests/halves.py"
    spec = importlib.util.spec_from_file_location("halves", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    first, second = module.halves()
    assert not set(first) & set(second)
    assert {path.name for path in first} == set(module.FIRST)
    tests = {path for path in TESTS if path.name.startswith("test_")}
    assert tests == {
        path for half in (*first, *second) for path in ([half] if half.is_file() else half.glob("**/test_*.py"))
    }
