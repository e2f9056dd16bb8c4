"""Run all tests in two processes at once, about half of their time each; arguments reach pytest in both."""

import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parent
# Together about as long as all the others, among which a new folder falls by itself.
FIRST = (
    "datasets", "engine", "features", "gen_pseudo_tools", "gpu", "lists", "losses", "parents", "real", "report",
    "solver", "transforms", "utils", "video",
)  # fmt: skip


def halves() -> tuple[list[Path], list[Path]]:
    """Return the folders and files with tests that either process runs; every one is in one of them."""
    entries = sorted(path for path in TESTS.iterdir() if path.match("test_*.py") or any(path.glob("**/test_*.py")))
    return [path for path in entries if path.name in FIRST], [path for path in entries if path.name not in FIRST]


def main() -> int:
    """Show the first half as it goes and the other when both have ended; the status of one that failed, else 0."""
    first, second = ([sys.executable, "-m", "pytest", *sys.argv[1:], *map(str, half)] for half in halves())
    with tempfile.TemporaryFile() as output:
        print("half of the tests; the other half runs beside it and is shown after it", flush=True)
        other = subprocess.Popen(second, cwd=TESTS.parent, stdout=output, stderr=subprocess.STDOUT)
        try:
            status = subprocess.run(first, cwd=TESTS.parent, check=False).returncode
            other.wait()
        except KeyboardInterrupt:
            status = 130
        finally:
            # Where only this process was stopped, the other goes too.
            other.terminate()
            other.wait()
            print("the other half", flush=True)
            output.seek(0)
            sys.stdout.buffer.write(output.read())
    return status or other.returncode


if __name__ == "__main__":
    sys.exit(main())
