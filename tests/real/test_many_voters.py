"""Voters of four families, other frames and sizes, from folders that the libraries wrote, on the demo's clips."""

import json
import subprocess
import sys

import pytest
import yaml

from slowfast.demo.dataset import ACTIONS, ClipJob, motions_of, write_jobs
from slowfast.ensemble import load_predictions
from tests.models.test_frames import TINY

SHORT = "SOLVER.MAX_EPOCH 1 TRAIN.BATCH_SIZE 4 TEST.ALSO ['test:3x3']"
HUGGING_FACE = {"vjepa2": (4, 32), "videomae": (4, 32)}


@pytest.fixture
def clips(repo, tmp_path):
    """A data root of 12 light and 12 dark rendered clips of three classes, with their lists."""
    jobs, root = [], tmp_path / "data"
    for number, motion in enumerate(list(motions_of(ACTIONS))[:3] * 4):
        for place, dark in ((f"light/{motion}", False), ("dark", True)):
            path = root / place / f"{number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            jobs.append(ClipJob(str(path), 0, place.split("/")[0], number, motion, "camera" * dark))
    write_jobs(jobs)
    folders = ["--light", root / "light", "--dark", root / "dark", "--test", root / "dark"]
    call(repo, "tools/prepare_lists.py", *folders, "--output", root, "--workers", 1)
    return root


def call(repo, *command, expect=0):
    """Run a Python command of the repository from its root; return what it said."""
    words = [sys.executable, *map(str, command)]
    done = subprocess.run(words, cwd=repo, capture_output=True, text=True, timeout=1500)
    assert done.returncode == expect, (done.stdout + done.stderr)[-3000:]
    return done.stdout + done.stderr


def frozen(repo, folder, name, arch, backbone, frames, size, **more):
    """Write the configuration of a frozen voter; return its entry of a schedule."""
    sizes = {
        "NUM_FRAMES": frames,
        "TRAIN_CROP_SIZE": size,
        "TEST_CROP_SIZE": size,
        "TRAIN_JITTER_SCALES": [size, size + 8],
    }
    content = {
        "_BASE_": str(repo / "configs/backbones/frozen.yaml"),
        "MODEL": {"ARCH": arch, "BACKBONE": str(backbone)},
        "DATA": {**sizes, "FEATURE_CACHE": str(folder / "features"), "FEATURE_VIEWS": 2},
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return {"name": name, "config": str(folder / f"{name}.yaml"), "frames": frames, "crop": size, **more}


@pytest.mark.slow
def test_a_folder_is_a_voter_in_two_commands(repo, clips, tmp_path):
    """docs/backbones.md, with a folder as the library writes it."""
    pytest.importorskip("tests.models.test_huggingface").write(tmp_path / "folder", "vjepa2")
    sizes = "DATA.NUM_FRAMES 4 DATA.TRAIN_CROP_SIZE 32 DATA.TEST_CROP_SIZE 32 DATA.TRAIN_JITTER_SCALES [32,40]"
    said = call(
        repo, "tools/run_net.py", "--cfg", "configs/backbones/frozen.yaml", "--cfg", clips / "data.yaml",
        "--cfg", "configs/real_small/exp_adapt_bn.yaml", "MODEL.BACKBONE", tmp_path / "folder", *sizes.split(),
        "OUTPUT_DIR", tmp_path / "out", "DATA.FEATURE_CACHE", tmp_path / "features", *SHORT.split(),
    )  # fmt: skip
    assert "the trunk runs for" in said
    vote = ["test_ensemble_vote.py", "--voter", f"vjepa2={tmp_path}/out/testx4x32x3x3.pkl:2"]
    call(repo, *vote, "--list", clips / "test.csv", "--output-dir", tmp_path / "submission")
    assert len((tmp_path / "submission/predictions.csv").read_text().splitlines()) == 1 + 12


@pytest.mark.slow
def test_six_voters_of_four_families_run_through_rounds_and_vote(repo, clips, tmp_path):
    pytest.importorskip("snakemake")
    hugging_face = pytest.importorskip("tests.models.test_huggingface")
    schedule = yaml.safe_load((repo / "workflow/many_voters.yaml").read_text())
    voters = [entry for entry in schedule["voters"] if entry["name"] in ("uniformer", "slowfast")]
    for name, (frames, size) in HUGGING_FACE.items():
        hugging_face.write(tmp_path / f"folder_{name}", name)
        voters.append(frozen(repo, tmp_path, name, "huggingface", tmp_path / f"folder_{name}", frames, size, weight=2))
    voters.append(frozen(repo, tmp_path, "mc3", "torchvision", "mc3_18", 8, 48))
    voters.append(frozen(repo, tmp_path, "image", "frames", TINY, 6, 40))
    settings = {"python": sys.executable, "launcher": "", "overrides": SHORT}
    schedule |= {"voters": voters, "root": str(tmp_path / "out"), "data": str(clips), "settings": settings}
    (tmp_path / "six.yaml").write_text(yaml.safe_dump(schedule))
    call(
        repo, "-m", "snakemake", "-s", repo / "workflow/Snakefile", "--directory", repo, "--configfile",
        tmp_path / "six.yaml", "--cores", "2", "--nolock", "--rerun-triggers", "mtime",
    )  # fmt: skip
    assert len(voters) == 6
    for stage in (1, 2):
        record = json.loads((clips / "pseudo" / f"stage{stage}.json").read_text())
        assert len(record["inputs"]["predictions"]) == 6 and record["kept"] > 0
        assert record["weights"] == {voter["name"]: voter.get("weight", 1) for voter in voters}
    for voter in voters:
        size = f"{voter.get('frames', 8)}x{voter.get('crop', 56)}"
        found = load_predictions(tmp_path / "out/exp_pseudo_stage2" / voter["name"] / f"testx{size}x3x3.pkl")
        assert found.video_preds.shape == (12, 3) and found.num_views == 9
        log = (tmp_path / "out/exp_pseudo_stage1" / voter["name"] / "stdout.log").read_text()
        assert "train_label: the trunk runs" not in log  # stored in the round before
    rows = (tmp_path / "out/submission/predictions.csv").read_text().splitlines()
    assert len(rows) == 1 + 12 and all(len(row.split(",")) == 4 + 3 for row in rows)
