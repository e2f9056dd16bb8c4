"""The page of all configuration keys: what each means, its default, and a value that an experiment gives it."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from slowfast.config import flatten, get_cfg

_KEY = re.compile(r"^_C\.([A-Z_0-9a-z.]+) = .*?(?:  # (.*))?$")
_HEAD = """# Every configuration key

What a key means, its default, and an example: a value that one of the project's own files gives it, else the default.
Keys are set in YAML or as `KEY VALUE` behind a command; `python tools/show_config.py FILE` prints what a file resolves
to. This page is written by `python tools/make_config_page.py`.
"""


def comments_of(source: str) -> dict[str, str]:
    """Return {key or section: its comment} from the text of `defaults.py`."""
    found: dict[str, str] = {}
    waiting = ""
    for line in source.splitlines():
        match = _KEY.match(line)
        if match:
            waiting = match[1]
            found[waiting] = (match[2] or "").strip()
        elif waiting and not found[waiting] and "#" in line:
            found[waiting] = line.partition("#")[2].strip()
    return found


def examples_in(files: Sequence[Path]) -> dict[str, Any]:
    """Return {key: value} of the first file that sets each key."""
    found: dict[str, Any] = {}
    for path in files:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for key, value in _flat(content if isinstance(content, dict) else {}):
            found.setdefault(key, value)
    return found


def _flat(tree: dict, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted key, value) of a tree of YAML."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _shown(value: Any) -> str:
    """Return a value as YAML writes it, inside a table."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True).strip()
    return "`" + text.removesuffix("...").strip().replace("|", "\\|") + "`"


def config_page(source: str, files: Sequence[Path]) -> str:
    """Return the page as Markdown.

    Args:
        source: text of `slowfast/config/defaults.py`, whose comments are the explanations.
        files: YAML files that examples are taken from, in this order.
    """
    comments, examples = comments_of(source), examples_in(files)
    lines, section = [_HEAD], None
    for key, default in flatten(get_cfg()).items():
        part = key.rpartition(".")[0]
        if part != section:
            section = part
            about = f"{comments[part]}\n\n" if comments.get(part) else ""
            lines += [f"## {part or 'The run'}\n", f"{about}| key | what | default | example |", "|---|---|---|---|"]
        example = examples.get(key, default)
        what = comments.get(key, "").replace("|", "\\|")
        lines.append(f"| `{key}` | {what} | {_shown(default)} | {_shown(example)} |")
    text = "\n".join(lines)
    return re.sub(r"\n(## )", r"\n\n\1", text) + "\n"
