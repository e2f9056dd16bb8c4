"""Own code outside the tree: files named on the command line that register what they bring."""

import hashlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from slowfast.utils.errors import InputError

_PREFIX = "nightcrawler_plugin_"


def load_plugins(paths: Sequence[str | Path]) -> None:
    """Import files of own code; each registers what it brings. A file that is loaded already is not loaded again.

    Only a command line names such files, never a configuration, so that configurations of strangers stay data.

    Raises:
        InputError: a file does not exist or does not import; the sentence names file, line and reason.
    """
    for path in paths:
        _load(Path(path).expanduser().resolve())


def _load(path: Path) -> None:
    """Import one file under a name of its own."""
    if path.suffix != ".py" or not path.is_file():
        raise InputError(f"--plugin {path}: no such Python file, check the path")
    name = f"{_PREFIX}{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        line = _line_of(error, path)
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"--plugin {path}{line} does not import ({type(error).__name__}: {reason}); mend the file"
        ) from None


def loaded_plugins() -> list[str]:
    """Return the files of own code that are loaded."""
    return [str(module.__file__) for name, module in [*sys.modules.items()] if name.startswith(_PREFIX)]


def place_in_plugin(error: BaseException) -> str:
    """Return `FILE, line N, in step` of the last frame of an error that is own code, or an empty text."""
    place, trace = "", error.__traceback__
    while trace is not None:
        code, module = trace.tb_frame.f_code, trace.tb_frame.f_globals.get("__name__", "")
        if str(module).startswith(_PREFIX):
            place = f"{code.co_filename}, line {trace.tb_lineno}, in {code.co_name}"
        trace = trace.tb_next
    return place


def _line_of(error: BaseException, path: Path) -> str:
    """Return `, line N` of the last frame inside the file, or an empty text."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f", line {error.lineno},"
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f", line {line}," if line else ""
