"""Weights back in the layout of the library or project that they came from."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from fvcore.common.config import CfgNode
from torch import Tensor, nn

from slowfast.models.naming import TORCHVISION, VIDEOMAE, rename, undoing
from slowfast.models.network import Network
from slowfast.utils.errors import InputError
from slowfast.utils.files import atomic_write

State = dict[str, Tensor]

_ORIGINAL_KEYS = {"mvit": "model_state", "sf": "model", "videomae": "model"}
_TRUNK = ("embeddings.", "encoder.", "layernorm.")  # of a VideoMAE of transformers
_PROCESSORS = ("preprocessor_config.json", "video_preprocessor_config.json")


def export_weights(cfg: CfgNode, model: Network, layout: str, path: Path) -> None:
    """Write a network's weights as another library writes its own.

    Args:
        cfg: configuration of the network.
        model: network of `build_model(cfg)` with the weights to write.
        layout: `huggingface` (a folder), `torchvision` or `original` (a file of `torch.save`).
        path: what is written.

    Raises:
        InputError: the network has no such layout, or something of it has no place there.
    """
    arch = cfg.MODEL.ARCH
    if getattr(model, "probe", None) is not None:
        raise InputError("MODEL.HEAD attentive has no place in other libraries' layouts; only MODEL.HEAD linear has")
    if layout == "huggingface" and arch in ("huggingface", "videomae"):
        _write_folder(path, _library_folder if arch == "huggingface" else _videomae_folder, cfg, model)
        return
    state = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    if layout == "torchvision" and arch == "mvit":
        state = _to_torchvision(cfg, state)
    elif layout == "original" and arch == "frames":
        state = {name.removeprefix("image."): t for name, t in state.items() if name.startswith("image.")}
    elif not (layout == "torchvision" and arch == "torchvision" or layout == "original" and arch != "huggingface"):
        kinds = "huggingface: huggingface, videomae; torchvision: torchvision, mvit; original: all but huggingface"
        raise InputError(f"--layout {layout} does not exist for MODEL.ARCH {arch} ({kinds})")
    with atomic_write(path) as aside:
        torch.save({_ORIGINAL_KEYS[arch]: state} if layout == "original" and arch in _ORIGINAL_KEYS else state, aside)


def _write_folder(path: Path, fill: Callable[[CfgNode, nn.Module, Path], None], cfg: CfgNode, model: Network) -> None:
    """Fill a new folder beside the wanted one and rename it."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"--output {path} exists already: name a new folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        aside.mkdir()
        fill(cfg, model, aside)
        os.replace(aside, path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _library_folder(cfg: CfgNode, model: Network, folder: Path) -> None:
    """Fill a folder with the network of MODEL.BACKBONE and our weights; what was dropped here stays in it.

    Tensors have the dtype of that folder where it holds our values exactly, else float32.
    """
    from slowfast.models.huggingface import open_folder, quiet
    from slowfast.utils.paths import repo_path

    source = repo_path(cfg.MODEL.BACKBONE)
    net, *_ = open_folder(cfg, dtype="auto")
    ours, own = model.state_dict(), net.state_dict()
    if not all(torch.equal(tensor.to(own[name].dtype).to(tensor.dtype), tensor) for name, tensor in ours.items()):
        own = net.float().state_dict()
    with torch.no_grad():
        for name, tensor in ours.items():
            own[name].copy_(tensor)
    if cfg.DATA.CLASS_NAMES:
        net.config.id2label = dict(enumerate(cfg.DATA.CLASS_NAMES))
        net.config.label2id = {name: index for index, name in enumerate(cfg.DATA.CLASS_NAMES)}
    with quiet():
        net.save_pretrained(folder)
    for name in _PROCESSORS:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)


def _videomae_folder(cfg: CfgNode, model: Network, folder: Path) -> None:
    """Fill a folder with a VideoMAE as `transformers` names it, query, key and value apart."""
    from safetensors.torch import save_file

    keys = cfg.VIDEOMAE
    if keys.INIT_VALUES or keys.LEARNABLE_POS_EMBED:
        raise InputError("transformers' VideoMAE has no VIDEOMAE.INIT_VALUES and no VIDEOMAE.LEARNABLE_POS_EMBED")
    labels = list(cfg.DATA.CLASS_NAMES) or [f"LABEL_{index}" for index in range(cfg.MODEL.NUM_CLASSES)]
    state = {}
    for name, tensor in rename(model.state_dict(), undoing(VIDEOMAE)).items():
        name = f"videomae.{name}" if name.startswith(_TRUNK) else name
        parts = {name: tensor}
        if name.endswith(".qkv.weight"):
            start = name.removesuffix("qkv.weight")
            parts = {f"{start}{part}.weight": t for part, t in zip(("query", "key", "value"), tensor.chunk(3))}
        state |= {part: value.detach().clone() for part, value in parts.items()}
    config = {
        "model_type": "videomae", "architectures": ["VideoMAEForVideoClassification"],
        "image_size": cfg.DATA.TRAIN_CROP_SIZE, "patch_size": keys.PATCH_SIZE, "num_frames": cfg.DATA.NUM_FRAMES,
        "tubelet_size": keys.TUBELET_SIZE, "hidden_size": keys.EMBED_DIM, "num_hidden_layers": keys.DEPTH,
        "num_attention_heads": keys.NUM_HEADS, "intermediate_size": int(keys.EMBED_DIM * keys.MLP_RATIO),
        "qkv_bias": keys.QKV_BIAS, "use_mean_pooling": keys.USE_MEAN_POOLING, "layer_norm_eps": 1e-6,
        "id2label": {str(index): label for index, label in enumerate(labels)},
        "label2id": {label: index for index, label in enumerate(labels)},
    }  # fmt: skip
    processor = {
        "image_processor_type": "VideoMAEImageProcessor", "do_rescale": True, "rescale_factor": 1 / 255,
        "do_normalize": True, "image_mean": list(cfg.DATA.MEAN), "image_std": list(cfg.DATA.STD),
        "size": {"shortest_edge": cfg.DATA.TRAIN_CROP_SIZE},
        "crop_size": {"height": cfg.DATA.TRAIN_CROP_SIZE, "width": cfg.DATA.TRAIN_CROP_SIZE},
    }  # fmt: skip
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / _PROCESSORS[0]).write_text(json.dumps(processor, indent=2) + "\n", encoding="utf-8")


def _to_torchvision(cfg: CfgNode, state: State) -> State:
    """Return MViT's weights under torchvision's names, positions without the batch axis."""
    if not (cfg.MVIT.SEP_POS_EMBED and cfg.MVIT.CLS_EMBED_ON) or cfg.MVIT.NECK_BN:
        raise InputError(
            "torchvision's MViT has MVIT.CLS_EMBED_ON, MVIT.SEP_POS_EMBED and no MVIT.NECK_BN, unlike this network"
        )
    for name, tensor in state.items():
        if name == "cls_token" or name.startswith("pos_embed_"):
            state[name] = tensor[0, 0] if tensor.shape[1] == 1 and "spatial" not in name else tensor[0]
    return rename(state, undoing(TORCHVISION))
