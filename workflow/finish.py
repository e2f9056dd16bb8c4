"""Ends a job of the workflow: keeps the mark that it began with, and what its predictions are."""

import hashlib
import json
import os
import sys
from pathlib import Path


def main() -> None:
    """Make `DONE` of `DONE.new`, with the digests of all PKLs in the folder of the job's output."""
    done, output = sys.argv[1:]
    began = Path(f"{done}.new")
    predictions = sorted(Path(output).parent.glob("*.pkl"))
    results = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in predictions}
    mark = json.loads(began.read_text(encoding="utf-8")) | {"results": results}
    began.write_text(json.dumps(mark), encoding="utf-8")
    os.replace(began, done)


if __name__ == "__main__":
    main()
