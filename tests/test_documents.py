"""The documents: links lead somewhere, commands and configurations that they name exist."""

import re
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*REPO.glob("*.md"), *REPO.glob("docs/*.md"), REPO / "data" / "README.md"])
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
SCRIPT = re.compile(
    r"(?:python3?|bash) ((?:tools|gen_pseudo_tools|workflow|tests)/[\w/]+\.(?:py|sh)|test_ensemble_vote\.py)"
)
CONFIG = re.compile(r"(?<![\w/])((?:configs|workflow)/[\w/-]+\.yaml)")


def name_of(path: Path) -> str:
    return str(path.relative_to(REPO))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_to_files(path):
    targets = [target for target in LINK.findall(path.read_text()) if "://" not in target]
    assert [target for target in targets if not (path.parent / target).exists()] == []


def headings(path: Path) -> set[str]:
    """The anchors that a page has: its headings in small letters, without marks, with dashes."""
    lines = [line.lstrip("#") for line in path.read_text().splitlines() if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", line.strip().lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_to_headings(path):
    places = re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", path.read_text())
    assert [f"{to}#{at}" for to, at in places if at not in headings((path.parent / to) if to else path)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_named_commands_and_configurations_exist(path):
    text = path.read_text()
    named = {*SCRIPT.findall(text), *CONFIG.findall(text)}
    assert sorted(name for name in named if not (REPO / name).exists()) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_make_targets_exist(path):
    named = set(re.findall(r"(?:^|`)make ([a-z][\w-]*)", path.read_text(), re.MULTILINE))
    known = set(re.findall(r"^([a-z][\w-]*):", (REPO / "Makefile").read_text(), re.MULTILINE))
    assert named <= known


def test_shell_blocks_are_shell():
    """Every block marked bash can be parsed."""
    for path in DOCUMENTS:
        for block in re.findall(r"```bash\n(.*?)```", path.read_text(), re.DOTALL):
            done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
            assert done.returncode == 0, f"{name_of(path)}: {done.stderr}\n{block}"
