"""Exit codes and error messages shared by every command."""

import argparse
import contextlib
import errno
import functools
import io
import math
import sys
import traceback
from collections.abc import Callable, Sequence

from slowfast.utils.errors import InputError
from slowfast.utils.files import visible
from slowfast.utils.limits import NO_HANDLES, explain_limit
from slowfast.utils.logging import log_traceback
from slowfast.utils.plugins import loaded_plugins, place_in_plugin
from slowfast.utils.warm import hand_over

EXIT_OK = 0
EXIT_INTERNAL = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
# A run that was asked to stop (SIGTERM, SIGINT) and saved its state: call it again to go on (BSD's EX_TEMPFAIL).
EXIT_PREEMPTED = 75
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
# Places that the user named and that cannot be what they have to be.
_WRONG_PLACE = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG,
)  # fmt: skip


class Preempted(Exception):
    """The run was asked to stop and has saved everything an exact resume needs."""


def make_parser(description: str, example: str) -> argparse.ArgumentParser:
    """Return a parser whose help ends with an example command.

    Args:
        description: what the command does, one or two sentences.
        example: a command line that works as it stands.
    """
    return argparse.ArgumentParser(
        description=description,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_plugin_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--plugin FILE.py`, which may be given several times; pass the files to `load_plugins` first of all."""
    parser.add_argument(
        "--plugin", action="append", default=[], metavar="FILE.py",
        help="own code that registers methods, adaptations, networks or optimizers; may be given again",
    )  # fmt: skip


def take_plugins(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the files of all `--plugin FILE.py`, wherever they stand among other arguments, and those others."""
    files, rest, words = [], [], iter(argv)
    for word in words:
        name, equals, file = word.partition("=")
        if name == "--plugin":
            files.append(file if equals else next(words, ""))
        else:
            rest.append(word)
    return files, rest


def at_least_one(text: str) -> int:
    """Return a whole number above 0 (for `type=` of an argument).

    Raises:
        argparse.ArgumentTypeError: when it is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def above_zero(text: str) -> float:
    """Return a finite number above 0 (for `type=` of an argument).

    Raises:
        argparse.ArgumentTypeError: when it is none.
    """
    with contextlib.suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")


def run(main: Callable[[], int | None]) -> None:
    """Call `main` and leave the process with the documented exit status.

    Args:
        main: returns None or an exit status; raises `InputError` for bad input (exit 2, one sentence on
            stderr) and `Preempted` after an orderly stop (exit 75). A path that cannot be read or written, and a
            failure inside a plugin, is bad input too. Anything else is an internal failure (1).
    """
    hand_over()
    for stream in (sys.stdout, sys.stderr):
        # A file name that is no UTF-8, or a terminal that knows ASCII only, must not end a run.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
            stream.write = functools.partial(_write_visible, stream.write)
    try:
        status = main() or EXIT_OK
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        status = EXIT_BAD_INPUT
    except Preempted as stop:
        print(f"stopped: {stop}", file=sys.stderr)
        status = EXIT_PREEMPTED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        status = EXIT_OK
    except Exception as error:
        status = _report(error)
    sys.stdout.flush()
    sys.exit(status)


def _write_visible(write: Callable[[str], int], text: str) -> int:
    """Write a text with its terminal codes spelled out."""
    return write(visible(text))


def _report(error: Exception) -> int:
    """Say on stderr what went wrong and return the exit status."""
    if isinstance(error, OSError) and error.errno in _FULL_DISK:
        print(
            f"error: no space left on the disk while writing {error.filename or 'output'};"
            " free some space and call the same command again: it resumes",
            file=sys.stderr,
        )
        return EXIT_INTERNAL
    if isinstance(error, OSError) and error.errno in _WRONG_PLACE and error.filename:
        place = error.filename2 or error.filename
        print(f"error: {place}: {error.strerror}; check the path and its permissions", file=sys.stderr)
        return EXIT_BAD_INPUT
    if isinstance(error, OSError) and error.errno in NO_HANDLES:
        print(f"error: {explain_limit(error)}", file=sys.stderr)
        return EXIT_BAD_INPUT
    place, kind = place_in_plugin(error), type(error).__name__
    missing = (getattr(error, "name", None) or "").split(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if missing not in ("", "slowfast", *sys.stdlib_module_names) and not place:
        print(
            f"error: the module {missing} is not installed; python -m pip install -e . in the repository installs what"
            " every command needs, INSTALL.md names the rest",
            file=sys.stderr,
        )
        return EXIT_BAD_INPUT
    if place:
        log = log_traceback(error)
        if not log:
            traceback.print_exc()
        reason = " ".join(str(error).split())[:300] or "no reason given"
        where = f"in {log}" if log else "above"
        print(f"error: --plugin {place}: {kind}: {reason}; mend the file (traceback {where})", file=sys.stderr)
        return EXIT_BAD_INPUT
    traceback.print_exc()
    own = loaded_plugins()
    hint = f" (perhaps of what {', '.join(own)} gave back or takes)" if own else ""
    print(f"internal error: {kind}: {error}{hint}", file=sys.stderr)
    return EXIT_INTERNAL
