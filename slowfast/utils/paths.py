"""Where things lie: the repository root and paths relative to it."""

import os
from pathlib import Path

REPO_ROOT = Path(__file__).resolve().parents[2]


def at_home(path: str | Path) -> Path:
    """Return a path with the home folder for `~` or `~user`; what exists under that name, or is no user's, stays."""
    try:
        return Path(path) if os.path.lexists(path) else Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def output_path(path: str | Path) -> Path:
    """Return a path that a command writes to, from the current directory."""
    return at_home(path).absolute()


def repo_path(path: str | Path) -> Path:
    """Return `path` as an absolute path; a relative one is taken from the repository root.

    Configurations name files this way, so that a command gives the same result from any directory.
    """
    path = at_home(path)
    return path if path.is_absolute() else REPO_ROOT / path


def argument_path(path: str | Path) -> Path:
    """Return a path given on the command line: from the current directory if it exists there, else from the root."""
    here = at_home(path)
    if here.is_absolute() or here.exists():
        return here.absolute()
    return repo_path(path)
