"""What digests and records cost: `python tests/chaos/cost.py COMMAND...` runs a command and prints their share.

`python tests/chaos/cost.py --rows 100000`: of a list of so many clips that were read before. The share is the processor
time of the functions below, without those that they call among themselves, in all processes that end by themselves,
over the processor time of everything the command started.
"""

import atexit
import functools
import importlib.abc
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FUNCTIONS = {
    "slowfast.parents.content": ("input_of_rows", "input_of_file", "clip_digest", "ClipDigests.of"),
    "slowfast.parents.record": ("versions", "code_version", "write_record", "read_record"),
    "slowfast.engine.checkpoint": ("state_digest",),
    "slowfast.engine.parents": ("weights_input",),
    "slowfast.apps.schedule": ("refresh",),
}
spent: dict[str, float] = {}
running: list[str] = []


def timed(function, name):
    """Wrap a function: the time of the outermost one counts."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        if running:
            return function(*args, **kwargs)
        begin = time.thread_time()
        running.append(name)
        try:
            return function(*args, **kwargs)
        finally:
            running.pop()
            spent[name] = spent.get(name, 0.0) + time.thread_time() - begin

    return wrapper


class Finder(importlib.abc.MetaPathFinder):
    """Wraps the functions of a module once it is loaded."""

    def find_spec(self, fullname, path, target=None):
        """Let the other finders find it."""
        if fullname not in FUNCTIONS:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        sys.meta_path.insert(0, self)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            for name in FUNCTIONS[fullname]:
                *owners, last = name.split(".")
                owner = functools.reduce(getattr, owners, module)
                setattr(owner, last, timed(getattr(owner, last), name))

        spec.loader.exec_module = exec_module
        return spec


def install(folder):
    """Measure in this process; what was spent is written when it ends."""
    sys.meta_path.insert(0, Finder())
    atexit.register(lambda: Path(folder, f"{os.getpid()}.json").write_text(json.dumps(spent)))


def cost_of_rows(root, count):
    """Return the least of three processor times that digests of a list and of its clips take."""
    os.environ["XDG_CACHE_HOME"] = str(root / "cache")
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from slowfast.datasets.sources import Sources
    from slowfast.lists.records import read_list

    (root / "videos").mkdir()
    for row in range(count):
        (root / f"videos/{row:06d}.mp4").write_bytes(b"%d" % row)
    (root / "list.csv").write_text("".join(f"{row:06d}.mp4,{row % 11}\n" for row in range(count)))
    records = read_list(
        root / "list.csv", root / "videos", separator=(",",), num_classes=11, labelled=True, allow_outside=False,
        check_files=False,
    )  # fmt: skip
    seconds = []
    for _ in range(4):  # the first reads them
        begin = time.process_time()
        Sources().add("train", records, (",",), 11)
        seconds.append(time.process_time() - begin)
    return min(seconds[1:])


def main():
    """Run a command and print what digests cost."""
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[1] == "--rows":
            print(f"{sys.argv[2]} rows: {cost_of_rows(Path(folder), int(sys.argv[2])):.2f} s of processor time")
            return 0
        Path(folder, "sitecustomize.py").write_text(
            f"import sys\nsys.path.append({str(Path(__file__).parent)!r})\nimport cost\ncost.install({folder!r})\n"
        )
        paths = os.pathsep.join([folder, *filter(None, [os.environ.get("PYTHONPATH")])])
        status = subprocess.run(sys.argv[1:], env=os.environ | {"PYTHONPATH": paths}).returncode
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        total, parts = usage.ru_utime + usage.ru_stime, {}
        for path in Path(folder).glob("*.json"):
            for name, seconds in json.loads(path.read_text()).items():
                parts[name] = parts.get(name, 0.0) + seconds
    for name, seconds in sorted(parts.items(), key=lambda part: -part[1]):
        print(f"{name:15} {seconds:8.3f} s")
    whole = sum(parts.values())
    print(f"digests and records {whole:.2f} s of {total:.1f} s of processor time: {100 * whole / total:.2f} %")
    return status


if __name__ == "__main__":
    sys.exit(main())
