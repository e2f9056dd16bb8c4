"""Following a workflow: jobs done, how far the running ones are, what failed, on a terminal and elsewhere."""

import io
import os
import select
import sys
import time

import pytest

from slowfast.utils import workflow
from slowfast.utils.errors import InputError
from slowfast.utils.progress import MovingLine
from slowfast.utils.workflow import Standing, run_workflow

SAID = """Job stats:
total                9

localrule adapt_bn:
    log: logs/4x8/adapt_bn-a.log
    jobid: 4
localrule adapt_bn:
    log: logs/4x8/adapt bn-b.log
    jobid: 6
Finished jobid: 4 (Rule: adapt_bn)
1 of 9 steps (11%) done
"""


@pytest.fixture
def standing(tmp_path, monkeypatch):
    """A workflow after a minute, with its clock."""
    now = [100.0]
    monkeypatch.setattr(workflow.time, "monotonic", lambda: now[0])
    made = Standing(tmp_path)
    now[0] += 60.0
    (tmp_path / "logs/4x8").mkdir(parents=True)
    return made


def test_jobs_and_the_share_of_a_training(standing, tmp_path):
    assert standing.line() == "[1:00] 0 of ? jobs done, ETA unknown"
    assert [standing.hear(line) for line in SAID.splitlines()].count(True) == 1
    assert standing.line() == "[1:00] 1 of 9 jobs done, ETA 8:00: adapt bn-b"
    log = tmp_path / "logs/4x8/adapt bn-b.log"
    log.write_text("features: 3/4 (75 %), ETA 0:01\n")
    assert standing.line().endswith("ETA 4:09: adapt bn-b 75%")
    log.write_text("x" * 9000 + "\nepoch 1/4 iter 2/2 loss 1\nepoch 2/4 iter 1/2 loss 1 ETA 0:10\n")
    assert standing.line().endswith("ETA 5:33: adapt bn-b 38%")
    log.write_text("testing: 1/10 (10 %), ETA 0:01\n")
    assert standing.line().endswith("adapt bn-b 38%"), "its tests do not throw it back"


def test_a_failed_job_runs_no_more(standing):
    for line in SAID.splitlines():
        standing.hear(line)
    failed = "Error in rule adapt_bn:\n    jobid: 6\n    log: logs/4x8/adapt bn-b.log (check log file(s) for details)"
    for line in failed.splitlines():
        standing.hear(line)
    assert standing.running == {}


def test_a_line_now_and_then_where_nothing_can_be_rewritten():
    stream = io.StringIO()
    line = MovingLine(stream, every=0.05)
    line.show("a")
    line.show("b", due=True)
    time.sleep(0.06)
    line.show("c")
    line.show("d")
    line.above("told")
    line.end()
    assert stream.getvalue() == "b\nc\ntold\n"


def read_all(terminal):
    """What was written to a terminal."""
    said = b""
    while select.select([terminal], [], [], 0.3)[0]:
        said += os.read(terminal, 4096)
    return said.decode()


def test_on_a_terminal_the_line_is_rewritten_in_place():
    ours, theirs = os.openpty()
    with open(theirs, "w", encoding="utf-8") as stream:
        line = MovingLine(stream)
        line.show("a long line")
        line.show("short\x1b[2J", due=True)
        line.above("told")
        line.show("é" * 500)
        line.end()
        said = read_all(ours)
    os.close(ours)
    first, second, *rest = said.split("\r")[1:]
    assert first == "a long line" and second.rstrip() == r"short\x1b[2J" and "told" in rest[1]
    assert "\x1b" not in said and said.count("\n") == 1 and said.endswith("\r")
    assert max(map(len, said.split("\r"))) < 500, "a line that is longer than the terminal would not stay in its place"


def script(text):
    """The command of a program."""
    return [sys.executable, "-c", text]


def test_what_a_workflow_says_is_followed(tmp_path, capsys):
    said = SAID + "a job: changed: LIST\ndisk: the schedule takes about 1.0 GB\n"
    assert run_workflow(script(f"print({said!r})"), tmp_path) == 0
    out = capsys.readouterr().out.splitlines()
    assert any("1 of 9 jobs done" in line for line in out)
    assert out[-2:] == ["a job: changed: LIST", "disk: the schedule takes about 1.0 GB"]


def test_the_log_of_a_failed_job_is_shown(tmp_path, capsys):
    (tmp_path / "a b.log").write_text("error: the reason\n")
    said = (
        "rule x:\n    log: a b.log\n    jobid: 1\nError in rule x:\n    jobid: 1\n    log: a b.log (check log file)\n"
    )
    assert run_workflow(script(f"print({said!r}); raise SystemExit(3)"), tmp_path) == 3
    assert capsys.readouterr().err == "Error in rule x:\n--- a b.log\nerror: the reason\n"


def test_too_small_a_disk_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="^disk: the schedule still writes"):
        run_workflow(script("print('error: disk: the schedule still writes'); raise SystemExit(1)"), tmp_path)
