"""Real light clips and a real dark pool, from lists to predictions, pseudo-labels and the vote."""

import json
import sys

import numpy as np
import pytest

from slowfast.ensemble import load_predictions

VOTERS = ("uniformer_b32_ssv2", "uniformer_b32_k600", "mvit_b32_k600", "sf32_k700")
SHORT = ("SOLVER.MAX_EPOCH", "1", "BN.NUM_BATCHES_PRECISE", "2", "TRAIN.BATCH_SIZE", "4")


def test_train_adapt_and_test_one_network(real, tmp_path):
    out = tmp_path / "out"
    said = real.python(
        "tools/run_net.py", "--cfg", "configs/demo/models/uniformer_b32_k600.yaml",
        "--cfg", real.root / "data.yaml", "--cfg", "configs/real_small/exp_adapt_bn.yaml",
        "OUTPUT_DIR", out, "TEST.ALSO", "[]", *SHORT,
    )  # fmt: skip
    predictions = load_predictions(out / "total_unlabelx8x56x1x1.pkl")
    assert predictions.video_names == real.names("total_unlabel.csv")
    assert predictions.video_preds.shape == (24, 6) and np.isfinite(predictions.video_preds).all()
    assert predictions.class_names == ["hug", "kick", "point", "punch", "push", "shake_hands"]
    assert set(predictions.video_labels) == {-1}
    epochs = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["split"] for line in epochs if line["_type"] == "val_epoch"] == ["val_dry"]
    assert "light clips) top-1" in said


@pytest.mark.slow
def test_whole_schedule_with_four_voters(real, tmp_path):
    pytest.importorskip("snakemake")
    settings = {"python": sys.executable, "overrides": " ".join(SHORT)}
    real.tool(
        settings["python"], "-m", "snakemake", "-s", real.repo / "workflow/Snakefile", "--directory", real.repo,
        "--configfile", real.repo / "workflow/real_small.yaml", "--cores", "2", "--nolock",
        "--config", f"root={tmp_path}/out", f"data={real.root}", f"settings={json.dumps(settings)}",
    )  # fmt: skip
    pool = real.names("total_unlabel.csv")
    for stage, share in ((1, 0.3), (2, 0.5)):
        rows = (real.root / "pseudo" / f"stage{stage}.csv").read_text().splitlines()
        assert len(rows) == round(share * len(pool)), "12 light clips are too few for an estimate"
        assert {row.split(",")[0] for row in rows} <= set(pool)
        record = json.loads((real.root / "pseudo" / f"stage{stage}.json").read_text())
        assert [entry["path"].split("/")[-2] for entry in record["inputs"]["predictions"]] == list(VOTERS)
    for folder, voters in (("exp_adapt_bn", VOTERS), ("exp_pseudo_stage1", VOTERS), ("exp_pseudo_stage2", VOTERS)):
        for voter in voters:
            assert (tmp_path / "out" / folder / voter / "best.pyth").is_file()
    views = load_predictions(tmp_path / "out" / "exp_experts" / VOTERS[0] / "testx8x56x3x3.pkl")
    assert views.num_views == 9 and views.video_names == real.names("test.csv")
    voted = (tmp_path / "out" / "submission" / "arid_pred.csv").read_text()
    assert all(name in voted for name in views.video_names)


@pytest.mark.slow
def test_published_experiment_trains_on_real_clips(real, tmp_path):
    """run.sh of an experiment, its network made small, on six classes with pseudo-labels."""
    table = "".join(
        f"{name},{row % 6},{','.join(['0.1'] * 6)}\n" for row, name in enumerate(real.names("total_unlabel.csv"))
    )
    (real.root / "stage2.csv").write_text(table)
    overrides = {
        "OUTPUT_DIR": tmp_path / "out", "DATA.PATH_PREFIX": real.root, "DATA.PSEUDO_CSV": "stage2.csv",
        "MODEL.NUM_CLASSES": 6, "TRAIN.CHECKPOINT_FILE_PATH": "", "SOLVER.MAX_EPOCH": 1, "NUM_THREADS": 1,
        "DATA.SPLITS.train_label": "['train_label.csv','light']", "DATA.SPLITS.val_dry": "['val_dry.csv','val']",
        "DATA.SPLITS.arid": "['arid.csv','dark/held_out']", "DATA.SPLITS.train_pseudo_label": "['','dark']",
        "DATA.SPLITS.total_unlabel": "['total_unlabel.csv','dark']",
        "DATA.SPLITS.train_unlabel": "['total_unlabel.csv','dark']",
        "DATA.NUM_FRAMES": 4, "DATA.TRAIN_CROP_SIZE": 64, "DATA.TEST_CROP_SIZE": 64, "DATA_LOADER.NUM_WORKERS": 0,
        "MVIT.DEPTH": 3, "MVIT.EMBED_DIM": 32, "MVIT.DIM_MUL": "[[1, 2.0]]", "MVIT.HEAD_MUL": "[[1, 2.0]]",
        "MVIT.POOL_Q_STRIDE": "[[1, 1, 2, 2]]", "TRAIN.BATCH_SIZE": 4, "DATA.DECODING_BACKEND": "pyav",
    }  # fmt: skip
    words = [word for pair in overrides.items() for word in pair]
    said = real.tool("bash", real.repo / "exp_pseudo_stage2" / "mvit_b32_k600" / "run.sh", *words)
    metrics = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert any("target_loss" in line for line in metrics), said[-2000:]
    predictions = load_predictions(tmp_path / "out" / "total_unlabelx4x64x1x1.pkl")
    assert predictions.score_kind == "probs" and predictions.video_preds.shape == (24, 6)
    assert np.isfinite(predictions.video_preds).all() and predictions.video_names == real.names("total_unlabel.csv")
    before = (tmp_path / "out" / "best.pyth").read_bytes()
    (tmp_path / "out" / "total_unlabelx4x64x1x1.pkl").unlink()
    said = real.tool("bash", real.repo / "exp_pseudo_stage2" / "mvit_b32_k600" / "test.sh", *words)
    again = load_predictions(tmp_path / "out" / "total_unlabelx4x64x1x1.pkl")
    np.testing.assert_array_equal(again.video_preds, predictions.video_preds)
    assert (tmp_path / "out" / "best.pyth").read_bytes() == before, said[-2000:]
