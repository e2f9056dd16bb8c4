"""A finished schedule in miniature: two voters, two rounds, small dark clips; no network is trained."""

import json

import numpy as np
import yaml

from slowfast.ensemble.predictions import Predictions, save_predictions
from slowfast.lists.tables import write_table
from slowfast.utils.files import sha256_of
from slowfast.video.writer import write_h264

CLASSES = ["Drink", "Jump & run", "<script>alert(1)</script>"]
VOTERS = ("mvit", "uni</script><b>")
HOSTILE = "</script><img src=x onerror=alert(1)>.mp4"


def clip(index: int, frames: int = 12, side: int = 64) -> np.ndarray:
    """Dark frames in which a square moves."""
    frames_THWC = np.random.default_rng(index).integers(4, 9, (frames, side, side * 4 // 3, 3), np.uint8)
    for time in range(frames):
        frames_THWC[time, 20:40, 4 * time : 4 * time + 20] += np.array([20, 12 + index % 9, 6], np.uint8)
    return frames_THWC


def make_schedule(root, *, clips: int = 30, videos: bool = True, seed: int = 0):
    """Write the schedule; a truth list for some of the clips is `truth.csv`.

    Returns:
        Names and truth.
    """
    rng = np.random.default_rng(seed)
    names = [HOSTILE, "gone.mp4", "damaged.mp4", *(f"sub/{index}.mp4" for index in range(3, clips))]
    truth_N = rng.integers(0, 3, clips)
    data = root / "data"
    (data / "pseudo").mkdir(parents=True)
    if videos:
        for index, name in enumerate(names):
            if name != "gone.mp4":
                write_h264(data / "dark" / name.replace("/", "/", 1), clip(index), fps=12, crf=30)
        damaged = data / "dark" / "damaged.mp4"
        damaged.write_bytes(damaged.read_bytes()[:200])
    for stage, step in enumerate(("exp_adapt_bn", "exp_pseudo_stage1", "exp_pseudo_stage2")):
        for voter in VOTERS:
            _run(root / step / voter.replace("/", "_"), data, names, truth_N, rng, stage)
        if stage:
            _table(data / "pseudo" / f"stage{stage}.csv", names, truth_N, rng, stage)
    (data / "truth.csv").write_text("".join(f"{name},{label}\n" for name, label in zip(names, truth_N)))
    (root / "timings").mkdir()
    (root / "timings" / "vote.tsv").write_text("s\th:m:s\n12.5\t0:00:12\n")
    return names, truth_N


def _run(folder, data, names, truth_N, rng, stage: int) -> None:
    """Write one training."""
    folder.mkdir(parents=True)
    scores = rng.normal(size=(len(names), 3)).astype(np.float32)
    scores[np.arange(len(names)), truth_N] += 1.0 + stage
    labels = np.full(len(names), -1)
    for name, views in (("total_unlabelx4x32x1x1.pkl", 1), ("total_unlabelx4x32x1x1_gamma1.pkl", 1)):
        save_predictions(folder / name, Predictions(scores, labels, list(names), "logits", views, CLASSES))
    splits = {"total_unlabel": ["total_unlabel.csv", "dark"]}
    config = {"DATA": {"PATH_PREFIX": str(data), "SPLITS": splits, "GAMMA": {"TEST": 0.25}}, "MODEL": {"ARCH": "mvit"}}
    config["DATA"]["PSEUDO_CSV"] = f"pseudo/stage{stage}.csv" if stage else ""
    (folder / "config.yaml.resolved").write_text(yaml.safe_dump(config))
    lines = [
        {"_type": "train_iter", "epoch": 1 + step // 5, "iter": 1 + step % 5, "loss": 2.0 / (1 + step), "lr": 0.001}
        for step in range(10)
    ]
    lines.append({"_type": "val_epoch", "epoch": 2, "split": "arid", "top1_err": 40.0 - stage})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    text = "".join(f"[x][INFO] epoch 1/2 iter {step}/5 loss 2 31.5 clips/s wait 4 % memory 2.5 GB\n" for step in (1, 5))
    (folder / "stdout.log").write_text(text)


def _table(path, names, truth_N, rng, stage: int) -> None:
    """Write a table of pseudo-labels, of which some are wrong."""
    count = len(names) * (stage + 1) // 3
    labels_N = np.where(rng.random(count) < 0.8, truth_N[:count], (truth_N[:count] + 1) % 3)
    probs_NK = rng.random((count, 3)) * 0.4
    probs_NK[np.arange(count), labels_N] = 0.5 + 0.5 * rng.random(count)
    write_table(path, names[:count], labels_N, probs_NK)
    record = {"pool": len(names), "estimated_precision": 0.77, "output": {"sha256": sha256_of(path)}}
    path.with_suffix(".json").write_text(json.dumps(record))
