"""Start the processes of one job with torchrun and leave with the exit status of the first one that failed."""

import logging
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import get_args_parser, run

from slowfast.utils.cli import EXIT_PREEMPTED


def main(argv: list[str]) -> int:
    """Run `torchrun ARGV`.

    Returns:
        0, the exit status of the process that failed first (128 + signal when a signal ended it), or 75 after a
        request to stop: the processes were given the time to save, and calling the job again goes on.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    parser = get_args_parser()
    parser.epilog = "example: python tools/spawn.py --standalone --nproc-per-node 4 tools/run_net.py --cfg FILE"
    try:
        run(parser.parse_args(argv))
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode > 0:
            return failure.exitcode
        print(f"internal error: process {rank} was ended by signal {-failure.exitcode}", file=sys.stderr)
        return 128 - failure.exitcode
    except SignalException:
        return EXIT_PREEMPTED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
