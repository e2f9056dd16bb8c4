"""Where things lie: the repository root and paths relative to it."""

from pathlib import Path

REPO_ROOT = Path(__file__).resolve().parents[2]


def repo_path(path: str | Path) -> Path:
    """Return `path` as an absolute path; a relative one is taken from the repository root.

    Configurations name files this way, so that a command gives the same result from any directory.
    """
    path = Path(path).expanduser()
    return path if path.is_absolute() else REPO_ROOT / path


def argument_path(path: str | Path) -> Path:
    """Return a path given on the command line: from the current directory if it exists there, else from the root."""
    here = Path(path).expanduser()
    if here.is_absolute() or here.exists():
        return here.absolute()
    return repo_path(path)
