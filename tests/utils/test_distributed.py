"""One process needs no set-up; several agree (gloo on the CPU)."""

import os
import subprocess
import sys

import torch

from slowfast.utils import distributed

SCRIPT = """
from pathlib import Path
import torch
from slowfast.utils import distributed
with distributed.process_group(0, "nccl") as device:
    total = distributed.sum_(torch.tensor([1.0 + distributed.rank()]))
    assert device.type == "cpu" and distributed.world_size() == 2
    assert total.item() == 3.0
    assert distributed.gather(distributed.rank() * 10) == [0, 10]
    assert distributed.any_(distributed.rank() == 1) and not distributed.any_(False)
    value = torch.tensor([float(distributed.rank())])
    distributed.share_(value)
    assert value.item() == 0.0
    many = [torch.ones(2, 3).T * distributed.rank(), torch.tensor(distributed.rank()), torch.empty(0), value + 5]
    many[3] += distributed.rank()
    distributed.share_(*many)
    assert [one.tolist() for one in many] == [[[0.0, 0.0]] * 3, 0, [], [5.0]]
    distributed.barrier()
    (Path(__file__).parent / f"rank{distributed.rank()}").write_text(str(distributed.is_main()))
assert distributed.world_size() == 1
"""


def test_one_process():
    with distributed.process_group(0, "nccl") as device:
        assert device.type == "cpu"
        assert (distributed.rank(), distributed.world_size(), distributed.is_main()) == (0, 1, True)
        assert distributed.gather("x") == ["x"]
        assert distributed.sum_(torch.ones(2)).tolist() == [1.0, 1.0]
        assert distributed.any_(True) and not distributed.any_(False)
        value = torch.tensor([float(distributed.rank())])
    distributed.share_(value)
    assert value.item() == 0.0
    distributed.barrier()


def test_two_processes(repo, tmp_path):
    script = tmp_path / "two.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    env = os.environ | {"PYTHONPATH": str(repo), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert [(tmp_path / f"rank{rank}").read_text() for rank in (0, 1)] == ["True", "False"]
