"""The graph of jobs: what it holds, what it calls, how it resumes."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap

import pytest
import yaml

pytest.importorskip("snakemake")
MODELS = ("uniformer_b32_ssv2", "uniformer_b32_k600", "mvit_b32_k600", "sf32_k700")
ROUNDS = {"adapt_bn": 4, "pseudo_labels": 4, "pseudo_stage": 12, "last_stage": 4, "expert": 1, "data": 1, "vote": 1}
# A training that writes its prediction in two steps and fails in between when told to, and the other commands.
STUB = """
import os, sys, pathlib
kind, out, name = sys.argv[1:4]
target = pathlib.Path(out) / name
target.parent.mkdir(parents=True, exist_ok=True)
with open("calls.log", "a") as log:
    log.write(kind + " " + str(target) + "\\n")
target.write_text("half")
if os.path.exists("fail") and open("fail").read().strip() in str(target):
    sys.exit(75)
target.write_text("whole")
for also in sys.argv[4:]:
    pathlib.Path(out, also).write_text("whole")
"""
# What only a process that has loaded the libraries has without asking.
LOADED = """
open("loaded", "a").write(str("torch" in sys.modules) + " ")
"""


def snakemake(repo, cwd, *arguments):
    """Run the workflow in a folder; return the finished process."""
    command = [sys.executable, "-m", "snakemake", "-s", str(repo / "workflow" / "Snakefile"), "--nolock", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)


def counts(text):
    """Return the number of jobs per rule that a dry run announces."""
    table = text.split("Job stats:")[1].split("total")[0]
    return {name: int(number) for name, number in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE) if name != "all"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nightcrawler", ROUNDS),
        ("demo", {**ROUNDS, "no_pseudo": 4}),
        ("real_small", {**ROUNDS, "pseudo_labels": 2, "pseudo_stage": 4}),
    ],
)
def test_dry_run_announces_every_job(name, expected, repo, tmp_path):
    done = snakemake(repo, tmp_path, "--configfile", str(repo / f"workflow/{name}.yaml"), "--dry-run", "--cores", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert counts(done.stdout + done.stderr) == expected


@pytest.mark.parametrize("name", ["demo", "real_small"])
def test_the_disk_of_every_schedule_can_be_told(name, repo, tmp_path):
    """Of its trainings alone: the first job names configurations, too, and no network."""
    config = yaml.safe_load((repo / f"workflow/{name}.yaml").read_text())
    (tmp_path / config["data"]).mkdir(parents=True)
    (tmp_path / config["data"] / "data.yaml").write_text("MODEL: {NUM_CLASSES: 11}")
    done = snakemake(repo, tmp_path, "--configfile", str(repo / f"workflow/{name}.yaml"), "--dry-run", "--cores", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    words = [sys.executable, "-m", "slowfast.apps.schedule_disk", "start", f"{config['root']}/marks", config["root"]]
    env = os.environ | {"PYTHONPATH": str(repo)}
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300, env=env)
    assert done.returncode == 0 and "disk: the schedule takes about" in done.stderr, done.stderr


def test_selections_of_own_clips_and_of_the_demo_are_judged_by_light_clips(repo, tmp_path):
    for name, rounds in (("real_small", ()), ("demo", ("rounds=1",))):
        arguments = ("--configfile", str(repo / f"workflow/{name}.yaml"), "--dry-run", "--cores", "1")
        more = ("--config", 'settings={"force": "--force"}', *rounds)
        said = snakemake(repo, tmp_path, *arguments, "--printshellcmds", *more)
        text = said.stdout + said.stderr
        assert said.returncode == 0, text
        selections = [line for line in text.splitlines() if "--at-most" in line]
        assert len(selections) == (1 if rounds else 2) == counts(text)["pseudo_labels"]
        for line in selections:
            light = line.partition("--at-most")[0].rpartition("--light")[2].split("--")[0].split()
            assert [path.split("/")[-2] for path in light] == list(MODELS) and "--force" in line
            assert all(path.endswith("exp_adapt_bn/" + "/".join(path.split("/")[-2:])) for path in light)


def test_real_schedule_calls_the_scripts_of_the_21_experiments(repo, tmp_path):
    config = str(repo / "workflow/nightcrawler.yaml")
    done = snakemake(repo, tmp_path, "--configfile", config, "--dry-run", "--cores", "1", "--printshellcmds")
    called = set(re.findall(r"bash (\S+)/run\.sh", done.stdout + done.stderr))
    assert called == {str(path.parent.relative_to(repo)) for path in repo.glob("exp_*/*/run.sh")}
    assert len(called) == 21
    stages = set(re.findall(r"generate_pseudo_label_stage(\d)\.py", done.stdout + done.stderr))
    assert stages == {"1", "2", "3", "4"}


def test_setting_without_a_place_is_refused(repo, tmp_path):
    arguments = ("--configfile", str(repo / "workflow/real_small.yaml"), "--dry-run", "--cores", "1", "--config")
    done = snakemake(repo, tmp_path, *arguments, 'settings={"ovrrides": "SOLVER.MAX_EPOCH 1"}')
    assert (
        done.returncode == 1 and "no command of this schedule has a place for 'ovrrides'" in done.stdout + done.stderr
    )
    done = snakemake(repo, tmp_path, *arguments, 'settings={"overrides": "SOLVER.MAX_EPOCH 1"}', "--printshellcmds")
    assert done.returncode == 0 and "SOLVER.MAX_EPOCH 1 >" in done.stdout + done.stderr


@pytest.mark.parametrize("how", ["--dag", "--rulegraph"])
def test_graph_can_be_drawn(how, repo, tmp_path):
    done = snakemake(repo, tmp_path, "--configfile", str(repo / "workflow/nightcrawler.yaml"), how, "dot")
    assert done.returncode == 0
    assert done.stdout.startswith("digraph") and "pseudo_labels" in done.stdout and "->" in done.stdout


@pytest.mark.parametrize("name", ["nightcrawler", "demo"])
def test_drawn_graphs_are_current(name, repo, tmp_path):
    done = snakemake(repo, tmp_path, "--configfile", str(repo / f"workflow/{name}.yaml"), "--dag", "dot")
    edges = len(re.findall(r"^\s*\d+ -> \d+", done.stdout, re.MULTILINE))
    drawn = (repo / "docs" / f"graph-{name}.svg").read_text()
    assert drawn.count('class="edge"') == edges > 20


def test_missing_lists_are_one_sentence(repo, tmp_path):
    (tmp_path / "tools").symlink_to(repo / "tools")
    python = f'settings={{"python": {json.dumps(sys.executable)}}}'
    arguments = (
        "--configfile",
        str(repo / "workflow/nightcrawler.yaml"),
        "--cores",
        "1",
        "--config",
        python,
        "disk=ignore",
    )
    done = snakemake(repo, tmp_path, *arguments)
    assert done.returncode == 1
    said = (tmp_path / "output/nightcrawler/logs/data.log").read_text()
    assert said.startswith(
        "error: data/train_label+val_dry.csv, data/val_dry.csv, data/arid.csv, data/total_unlabel.csv"
    )
    assert said.endswith("are missing; DATASET.md says how the lists are made\n")
    assert not (tmp_path / "data" / "lists.checked").exists() and not list(tmp_path.glob("exp_*"))


@pytest.fixture
def stubbed(tmp_path, stub_schedule):
    """A schedule of two voters and two rounds whose commands are stubs."""
    (tmp_path / "stub.py").write_text(STUB)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(stub_schedule(["a", "b"], 2)))
    return tmp_path


def test_values_with_signs_of_the_shell_stay_values(repo, tmp_path, stub_schedule):
    schedule = stub_schedule(["a", "b"], 2)
    odd = "o'u\"t $(touch marker)`touch marker`;touch marker &\t>marker *"
    schedule |= {"root": odd, "data": f"{odd}/d", "settings": {"python": sys.executable, "overrides": "A 'x y'"}}
    schedule["train"] += " {opts} {overrides}"
    schedule["stage_opts"] = "X {before}/{voter}"
    (tmp_path / "stub.py").write_text(STUB.replace("for also in sys.argv[4:]", "for also in sys.argv[4:5]"))
    schedule["make_data"] = schedule["make_data"].replace(shlex.quote(sys.executable), "{python}")
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(schedule))
    done = snakemake(repo, tmp_path, "--configfile", "odd.yaml", "--cores", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / odd / "submission/arid_pred.csv").is_file()
    assert not (tmp_path / "marker").exists()


def test_voters_of_different_sizes_weights_and_experiments(repo, tmp_path, stub_schedule):
    schedule = stub_schedule(["a"], 2)
    (tmp_path / "a.y").write_text("{}")
    (tmp_path / "b.y").write_text("{}")
    schedule["config"] = "{voter}.y"
    schedule["voters"] = [
        "a",
        {"name": "b", "frames": 16, "crop": 32, "weight": 0.5, "experiment": "x", "config": "b.y"},
    ]
    schedule["train"] = "train {step}/{experiment} --cfg {config} {out}"
    schedule["vote"] += " {votes}"
    schedule["select"] += " {votes}"
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(schedule))
    done = snakemake(repo, tmp_path, "--configfile", "odd.yaml", "--cores", "1", "--dry-run", "--printshellcmds")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "train exp_pseudo_stage1/x --cfg b.y out/exp_pseudo_stage1/b" in said
    assert "train exp_adapt_bn/a --cfg a.y out/exp_adapt_bn/a" in said
    votes = (
        "--voter a=out/exp_pseudo_stage2/a/testx4x8x3x3.pkl:1 --voter b=out/exp_pseudo_stage2/b/testx16x32x3x3.pkl:0.5"
        " --voter expert-a=out/exp_experts/a/testx4x8x3x3.pkl:1"
    )
    assert votes in said
    selected = (
        "--voter a=out/exp_adapt_bn/a/total_unlabelx4x8x1x1.pkl:1"
        " --voter b=out/exp_adapt_bn/b/total_unlabelx16x32x1x1.pkl:0.5"
    )
    assert selected in said and selected.replace("exp_adapt_bn", "exp_pseudo_stage1") in said
    pool = re.search(r"input: .*?(out/exp_adapt_bn/a/\S+, out/exp_adapt_bn/b/[^,\s]+)", said)[1]
    assert pool == "out/exp_adapt_bn/a/total_unlabelx4x8x1x1.pkl, out/exp_adapt_bn/b/total_unlabelx16x32x1x1.pkl"


@pytest.mark.parametrize("kind", ["select", "vote"])
def test_a_weight_that_nothing_reads_is_refused(kind, repo, tmp_path, stub_schedule):
    schedule = stub_schedule(["a", "b"], 2)
    schedule["voters"][1] = {"name": "b", "weight": 2}
    schedule["select" if kind == "vote" else "vote"] += " {votes}"
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(schedule))
    done = snakemake(repo, tmp_path, "--configfile", "odd.yaml", "--cores", "1", "--dry-run")
    assert done.returncode == 1
    assert f"b: its weight 2 has no effect, `{kind}` has no {{votes}}" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["real_small", "many_voters"])
@pytest.mark.parametrize("count", [2, 10])
def test_own_clips_are_voted_by_whatever_voters_the_schedule_names(name, count, repo, tmp_path):
    """Selections, vote and checks name these voters and their clips, and none of the published four."""
    schedule = yaml.safe_load((repo / f"workflow/{name}.yaml").read_text())
    (tmp_path / "net.yaml").write_text("{}")
    schedule["voters"] = [
        {
            "name": f"own{number}",
            "config": str(tmp_path / "net.yaml"),
            "frames": number + 1,
            "crop": 32,
            "weight": number,
        }
        for number in range(1, count + 1)
    ]
    schedule["experts"] = ["own1"]
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(schedule))
    done = snakemake(repo, tmp_path, "--configfile", "own.yaml", "--cores", "1", "--dry-run", "--printshellcmds")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert not [model for model in MODELS if model in said] and "8x56" not in said
    vote = next(line for line in said.splitlines() if "test_ensemble_vote.py" in line)
    for number in range(1, count + 1):
        size = f"{number + 1}x32"
        folder = f"{schedule['root']}/exp_pseudo_stage2/own{number}"
        assert f"--voter own{number}={folder}/testx{size}x3x3.pkl:{number} " in vote
        pooled = (
            f"--voter own{number}={schedule['root']}/exp_adapt_bn/own{number}/total_unlabelx{size}x1x1.pkl:{number}"
        )
        # The table of round 1 and the whole pool's.
        assert said.count(pooled) == 2
        if "light" in schedule:
            assert f"exp_adapt_bn/own{number}/val_dryx{size}x1x1_gamma1_bn-train_label.pkl" in said
    assert f"--voter expert-own1={schedule['root']}/exp_experts/own1/testx2x32x3x3.pkl:1 " in vote
    assert said.count(f"--cfg {tmp_path}/net.yaml") == 3 * count + 1


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_voter_without_a_configuration_is_refused_before_any_job(more, repo, tmp_path, stub_schedule):
    schedule = stub_schedule(["a", "b", "c", "d"], 2)
    schedule["voters"] = [{"name": "a", "config": "a.yaml"}, {"name": "b", "config": "b.yml"}, "c"]
    schedule["train"] += " -- --cfg {config} --cfg {data}/data.yaml"
    (tmp_path / "a.yaml").write_text("{}")
    (tmp_path / "stub.py").write_text(STUB)
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(schedule))
    done = snakemake(repo, tmp_path, "--configfile", "odd.yaml", "--cores", "1", *more)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert (
        "voters without a configuration: b: b.yml does not exist; c: its entry names none: set `config` or `experiment`"
        in said
    )
    assert not (tmp_path / "calls.log").exists() and not (tmp_path / "out/data").exists()


def test_a_voter_without_an_experiment_of_the_21_is_refused(repo, tmp_path):
    schedule = yaml.safe_load((repo / "workflow/nightcrawler.yaml").read_text())
    schedule["voters"].append({"name": "fifth", "experiment": "vjepa2"})
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(schedule))
    done = snakemake(repo, tmp_path, "--configfile", "odd.yaml", "--cores", "1", "--dry-run")
    assert done.returncode == 1
    assert "fifth: exp_adapt_bn/fifth/config.yaml does not exist, exp_pseudo_stage1/fifth" in done.stdout + done.stderr


def test_wrong_voters_are_refused_before_any_job(repo, tmp_path, stub_schedule):
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(stub_schedule(["a", "a"], 2)))
    done = snakemake(repo, tmp_path, "--configfile", "odd.yaml", "--cores", "1", "--dry-run")
    assert done.returncode == 1 and "voters has 'a' twice" in done.stdout + done.stderr


def test_places_inside_double_quotes_are_refused(repo, tmp_path, stub_schedule):
    schedule = stub_schedule(["a"], 2)
    schedule["vote"] = 'echo "{root}"'
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(schedule))
    done = snakemake(repo, tmp_path, "--configfile", "odd.yaml", "--cores", "1", "--dry-run")
    assert done.returncode == 1 and "take the double quotes" in done.stdout + done.stderr


def calls(folder):
    """Return what the stubs were asked to make, in order."""
    return [line.split(maxsplit=1)[1] for line in (folder / "calls.log").read_text().splitlines()]


def test_failed_job_leaves_nothing_half_written_and_the_next_call_goes_on(repo, stubbed):
    arguments = ("--configfile", "tiny.yaml", "--cores", "1", "--rerun-incomplete")
    (stubbed / "fail").write_text("exp_pseudo_stage1/b")
    failed = snakemake(repo, stubbed, *arguments)
    assert failed.returncode != 0
    assert not (stubbed / "out/exp_pseudo_stage1/b/total_unlabelx4x8x1x1.pkl").exists()
    first = calls(stubbed)
    for name in first:
        if "exp_pseudo_stage1/b" not in name:
            assert (stubbed / name).read_text() == "whole"

    (stubbed / "fail").unlink()
    done = snakemake(repo, stubbed, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    again = calls(stubbed)[len(first) :]
    assert set(again) & set(first) == {"out/exp_pseudo_stage1/b/total_unlabelx4x8x1x1.pkl"}
    assert (stubbed / "out/submission/arid_pred.csv").read_text() == "whole"
    assert len(calls(stubbed)) == 11 + 1  # every job once, and the one that failed

    finished = snakemake(repo, stubbed, *arguments)
    assert finished.returncode == 0 and "Nothing to be done" in finished.stdout + finished.stderr
    assert len(calls(stubbed)) == 12


def test_timings_of_every_job_are_kept(repo, stubbed):
    done = snakemake(repo, stubbed, "--configfile", "tiny.yaml", "--cores", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    names = {path.stem for path in (stubbed / "out" / "timings").rglob("*.tsv")}
    assert {"data", "adapt_bn-a", "pseudo_labels-1", "pseudo_stage1-b", "pseudo_stage2-a", "expert-a", "vote"} <= names


def test_warm_jobs_fork_and_leave_what_cold_ones_leave(repo, tmp_path, stub_schedule):
    tool = f"import sys; sys.path.insert(0, {str(repo)!r}); from slowfast.utils import cli; cli.run(lambda: stub())"
    (tmp_path / "stub.py").write_text(f"def stub():\n{textwrap.indent(STUB + LOADED, '    ')}\n{tool}\n")
    command = [sys.executable, str(repo / "tools/schedule.py")]
    left = []
    for folder, words in (("cold", []), ("warm", ["--warm"])):
        shutil.copytree(tmp_path, tmp_path.parent / folder)
        place = tmp_path.parent / folder
        (place / "s.yaml").write_text(yaml.safe_dump(stub_schedule(["a"], 1)))
        done = subprocess.run(
            [*command, *words, "s.yaml", "-j", "1", "--nolock"], cwd=place, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert set((place / "loaded").read_text().split()) == {str(bool(words))}
        left.append((place / "calls.log").read_text())
    assert left[0] == left[1]
