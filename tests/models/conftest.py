"""Reference networks of the golden folder, built through the configuration."""

import importlib.util
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from slowfast.config import flatten, get_cfg
from slowfast.models import build_model
from slowfast.models.accelerate import accelerate

VIDEOMAE_KEYS = {
    "num_classes": "MODEL.NUM_CLASSES",
    "all_frames": "DATA.NUM_FRAMES",
    "img_size": "DATA.TRAIN_CROP_SIZE",
    "embed_dim": "VIDEOMAE.EMBED_DIM",
    "depth": "VIDEOMAE.DEPTH",
    "num_heads": "VIDEOMAE.NUM_HEADS",
    "mlp_ratio": "VIDEOMAE.MLP_RATIO",
    "patch_size": "VIDEOMAE.PATCH_SIZE",
    "tubelet_size": "VIDEOMAE.TUBELET_SIZE",
    "qkv_bias": "VIDEOMAE.QKV_BIAS",
    "init_values": "VIDEOMAE.INIT_VALUES",
    "init_scale": "VIDEOMAE.INIT_SCALE",
    "use_mean_pooling": "VIDEOMAE.USE_MEAN_POOLING",
    "use_learnable_pos_emb": "VIDEOMAE.LEARNABLE_POS_EMBED",
    "drop_path_rate": "VIDEOMAE.DROP_PATH_RATE",
    "fc_drop_rate": "VIDEOMAE.FC_DROPOUT_RATE",
}
VIT_SIZES = {"vit_large": (1024, 24, 16), "vit_huge": (1280, 32, 16)}


def set_keys(cfg, values: dict):
    """Set the dotted keys that the configuration knows."""
    known = flatten(get_cfg())
    for key, value in values.items():
        if key not in known:
            continue
        node = cfg
        *path, last = key.split(".")
        for name in path:
            node = node[name]
        node[last] = value
    return cfg


@cache
def read_json(path: Path):
    return json.loads(path.read_text())


class Reference:
    """The golden folder of the networks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        spec = importlib.util.spec_from_file_location("golden_fill", folder / "golden.py")
        self.fill = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.fill)

    def json(self, name: str):
        return read_json(self.folder / "models" / f"{name}.json")

    def arrays(self, name: str):
        return np.load(self.folder / "models" / f"{name}.npz")

    def cfg(self, entry: dict):
        """The configuration of an entry of small.json, full.json or vit_full.json."""
        cfg = get_cfg()
        if entry["model"] == "vit":
            cfg.MODEL.ARCH = "videomae"
            values = {VIDEOMAE_KEYS[key]: value for key, value in entry["arguments"].items() if key in VIDEOMAE_KEYS}
            if "constructor" in entry:
                width, depth, heads = VIT_SIZES[entry["constructor"].removesuffix("_patch16_224")]
                values = {"MODEL.NUM_CLASSES": 16, "DATA.NUM_FRAMES": 16, "VIDEOMAE.EMBED_DIM": width,
                          "VIDEOMAE.DEPTH": depth, "VIDEOMAE.NUM_HEADS": heads} | values  # fmt: skip
            return set_keys(cfg, values)
        experiments = read_json(self.folder / "experiments.json")
        name = entry.get("base_experiment") or entry["experiment"]
        set_keys(cfg, experiments[name]["resolved_run"])
        return set_keys(cfg, entry.get("config_overrides", {}))

    def model(self, entry: dict, *, fast: bool = False):
        """The filled network of an entry, plain or in the fast forms of the CPU."""
        model = self.fill.fill_(build_model(self.cfg(entry)), entry["weight_seed"])
        return accelerate(model, device=torch.device("cpu"), training=True) if fast else model

    def clips(self, entry: dict) -> torch.Tensor:
        return self.fill.make_input(entry["input_shape"], entry["input_seed"])

    @staticmethod
    def stage_outputs(model, clips, names):
        """Run the network and return {stage: output} (first element of tuples)."""
        seen, handles = {}, []
        for name in names:

            def keep(_module, _args, output, name=name):
                seen[name] = (output[0] if isinstance(output, tuple) else output).detach()

            handles.append(model.get_submodule(name).register_forward_hook(keep))
        with torch.no_grad():
            model(clips)
        for handle in handles:
            handle.remove()
        return seen

    @staticmethod
    def check_stages(seen, expected):
        for name, stage in expected.items():
            value = seen[name]
            assert list(value.shape) == stage["shape"], name
            scale = abs(stage["std"])
            assert abs(value.mean().item() - stage["mean"]) <= 1e-4 * scale, name
            assert abs(value.std().item() - stage["std"]) <= 1e-4 * scale, name

    @staticmethod
    def check_state_dict(model, expected):
        got = [[name, list(t.shape), str(t.dtype).removeprefix("torch.")] for name, t in model.state_dict().items()]
        assert got == expected


@pytest.fixture(scope="session")
def reference(golden: Path) -> Iterator[Reference]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)  # as recorded; sums over a batch depend on it by rounding
    yield Reference(golden)
    torch.set_num_threads(before)
