"""Every block of docs/extending.md, run as it stands on the tiny data set."""

import json
import re
import shlex

import numpy as np
import pytest

from slowfast.engine.checkpoint import load_checkpoint
from slowfast.ensemble import load_predictions

FILE = re.compile(r"```(?:python|yaml) (\w+\.\w+)\n(.*?)```", re.DOTALL)
SHELL = re.compile(r"```bash\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="session")
def page(repo, tiny, server, tmp_path_factory):
    """The folder in which all files of the page lie and all its commands ran, with the log of each."""
    root = tmp_path_factory.mktemp("page")
    data = tiny.make_data(root / "data/night")
    text = (repo / "docs/extending.md").read_text()

    def placed(block):
        """A block whose folders lie below this one."""
        return block.replace("data/night", str(data)).replace("output/", f"{root}/output/")

    for name, block in FILE.findall(text):
        (root / name).write_text(placed(block))
    for number, block in enumerate(SHELL.findall(text)):
        for place, line in enumerate(placed(block).replace("\\\n", " ").splitlines()):
            program, script, *words = shlex.split(line)
            assert program == "python"
            log = root / f"{number}.{place}.log"
            status = server.wait(server.command(log, repo / script, words, root), limit=120)
            assert status == 0, f"{line}\n{log.read_text()}"
    return root


def records(folder, kind):
    """The lines of one kind in `metrics.jsonl`."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["_type"] == kind]


def test_a_data_set_is_yaml(page):
    made = load_predictions(page / "output/plain/duskx4x32x1x1.pkl")
    assert sorted(made.video_names) == [f"dark{number}.mp4" for number in range(5)]
    assert {line["split"] for line in records(page / "output/plain", "val_epoch")} == {"day", "dusk"}


def test_a_network_is_one_file(page):
    state = load_checkpoint(page / "output/net/best.pyth")["model_state"]
    assert state["backbone.0.0.weight"].shape == (8, 3, 3, 3, 3)
    answers = json.loads((page / "output/net/answers.json").read_text())
    assert len(answers) == 35 and answers[0]["answers"][0]["class"].isalpha()
    assert len(list((page / "output/net/features").rglob("*.npz"))) == 35
    assert load_predictions(page / "output/net/duskx4x32x1x1.pkl").video_preds.shape == (5, 11)


def test_a_method_is_one_file(page):
    out = page / "output/coral"
    assert all(line["coral"] > 0 for line in records(out, "train_iter") + records(out, "train_epoch"))
    assert " coral " in (out / "stdout.log").read_text()
    assert any(b"train/coral" in path.read_bytes() for path in (out / "tensorboard").iterdir())


def test_an_adaptation_is_one_file(page):
    plain = load_predictions(page / "output/plain/duskx4x32x1x1.pkl").video_preds
    for name in ("prior-streets", "recentre-streets"):
        assert (
            np.abs(load_predictions(page / f"output/plain/duskx4x32x1x1_{name}.pkl").video_preds - plain).max() > 1e-5
        )
    assert len(json.loads((page / "output/plain/answers.json").read_text())) == 35


def test_an_optimizer_is_one_registration(page):
    first, second = (load_checkpoint(page / f"output/{name}/best.pyth")["model_state"] for name in ("plain", "sam"))
    assert any((first[name] != second[name]).any() for name in first)
