"""Video networks of Hugging Face `transformers`, from a local folder as `save_pretrained` writes it.

VideoMAE (Tong et al., NeurIPS 2022), V-JEPA 2 (Assran et al., 2025), VideoPrism (Zhao et al., ICML 2024), ViViT (Arnab
et al., ICCV 2021) and TimeSformer (Bertasius et al., ICML 2021). Nothing is fetched, no code of the folder is run and
only safetensors are read.
Legend: B batch, C channels, T frames, H W, N tokens, D width, K classes.
"""

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from fvcore.common.config import CfgNode
from torch import Tensor, nn

from slowfast.models.library import IMAGENET, LibraryNetwork, Stated, check_clips, data_colours
from slowfast.models.network import NETWORKS
from slowfast.utils.errors import InputError
from slowfast.utils.paths import repo_path
from slowfast.utils.untrusted.folders import normalisation, read_json, refuse_weights

_OLDEST = 5  # its `from_pretrained` takes other arguments than that of 4
_PIP = f"pip install -U 'transformers>={_OLDEST}'"
_UNIT = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
_GREY = ((0.45, 0.45, 0.45), (0.225, 0.225, 0.225))
_VIVIT = ((0.75, 0.75, 0.75), (0.25, 0.25, 0.25))


@dataclass(frozen=True)
class _Family:
    """One kind of network of the library.

    Attributes:
        network: class of the library.
        config: class of its configuration.
        trunk: attribute of the network without head.
        frames: key of the configuration with the frames of a clip.
        size: key of the configuration with its side.
        colours: mean and standard deviation where the folder states none.
        pooling: attributes that pool the tokens; new where a file of a bare network lacks them.
        fixed_frames: no other number of frames works.
    """

    network: str
    config: str
    trunk: str
    frames: str = "num_frames"
    size: str = "image_size"
    colours: tuple[Sequence[float], ...] = IMAGENET
    pooling: tuple[str, ...] = ()
    fixed_frames: bool = True


_FAMILIES = {
    "videomae": _Family("VideoMAEForVideoClassification", "VideoMAEConfig", "videomae", pooling=("fc_norm",)),
    "vjepa2": _Family(
        "VJEPA2ForVideoClassification", "VJEPA2Config", "vjepa2", "frames_per_clip", "crop_size", pooling=("pooler",),
        fixed_frames=False,
    ),
    "videoprism_vision_model": _Family(
        "VideoPrismForVideoClassification", "VideoPrismVisionConfig", "vision_model", colours=_UNIT,
        pooling=("head", "head_layernorm"),
    ),
    "vivit": _Family("VivitForVideoClassification", "VivitConfig", "vivit", colours=_VIVIT),
    "timesformer": _Family(
        "TimesformerForVideoClassification", "TimesformerConfig", "timesformer", colours=_GREY, fixed_frames=False
    ),
}  # fmt: skip
# Keys of a configuration that would make the library fetch or run something, or read other files.
_NOT_FROM_FOLDERS = ("auto_map", "quantization_config", "attn_implementation", "_attn_implementation", "_name_or_path")


@NETWORKS.register("huggingface")
class HuggingFace(LibraryNetwork):
    """A video classifier of `transformers`; V-JEPA 2 without its predictor, which never gets a gradient.

    Args:
        net: the library's network; its modules are taken over.
        model_type: key of its family.
        stated: what it says about itself.
        data: (DATA.MEAN, DATA.STD) that the clips come with.
        attentive: a new attentive pooler in place of the library's pooling (MODEL.HEAD attentive).
        source: the folder.
        new_parts: parts of the library's network that the folder lacked, each with the reason.
    """

    def __init__(
        self, net: nn.Module, model_type: str, stated: Stated, *, data: tuple[Sequence[float], ...],
        attentive: bool = False, source: Path | None = None, new_parts: Sequence[str] = (),
    ) -> None:  # fmt: skip
        family = _FAMILIES[model_type]
        width = net.config.hidden_size if attentive else 0
        super().__init__(stated, data=data, attentive_width=width, classifier="classifier")
        self.adopt(net, without=family.pooling if attentive else ())
        # Under the name `config` peft would take this for a network of transformers, and look for more of one.
        self.family, self.settings = model_type, net.config
        pooling = tuple(f"{name}." for name in family.pooling if getattr(self, name, None) is not None)
        self.probe_names = (*self.head_names, *pooling) if pooling else ()  # new where a folder has none
        left_out = family.pooling if attentive else ()
        kept = [part for part in new_parts if part.split()[0] not in left_out]
        self.source, self.new_parts = source, (*kept, *(["probe (MODEL.HEAD attentive)"] if attentive else ()))
        if model_type == "vjepa2":
            del self.vjepa2.predictor

    @classmethod
    def from_cfg(cls, cfg: CfgNode) -> "HuggingFace":
        """Build the network of the folder MODEL.BACKBONE with the folder's weights.

        Raises:
            InputError: no such folder, another kind of network, weights that are missing or not safetensors, clips
                that the network does not take, or a library that is not installed or too old.
        """
        net, stated, new_parts = open_folder(cfg)
        model_type = net.config.model_type
        if model_type == "timesformer":  # every block cuts the tokens into frames with it
            net.config.num_frames = stated.frames
        if cfg.MODEL.USE_CHECKPOINT:
            newer = "activation_checkpointing_enable"
            getattr(net, newer if hasattr(net, newer) else "gradient_checkpointing_enable")()
        attentive = cfg.MODEL.HEAD == "attentive"
        source = repo_path(cfg.MODEL.BACKBONE)
        return cls(
            net, model_type, stated, data=data_colours(cfg), attentive=attentive, source=source, new_parts=new_parts
        )

    def tokens(self, clips_BCTHW: Tensor) -> Tensor:
        """Return the trunk's tokens (B, N, D); of TimeSformer's space_only, which has a row per frame, (B, T, N, D)."""
        clips_BTCHW = clips_BCTHW.transpose(1, 2)
        trunk = getattr(self, _FAMILIES[self.family].trunk)
        extra = {"skip_predictor": True} if self.family == "vjepa2" else {}
        tokens_BND = trunk(clips_BTCHW, **extra)[0]
        if self._per_frame():
            tokens_BND = tokens_BND.unflatten(0, clips_BTCHW.shape[:2])
            return tokens_BND if self.probe is None else tokens_BND.flatten(1, 2)
        return tokens_BND

    def _per_frame(self) -> bool:
        """Return whether the trunk has a row per frame instead of one per clip."""
        return self.family == "timesformer" and self.settings.attention_type == "space_only"

    def pool(self, tokens_BND: Tensor) -> Tensor:
        """Return (B, D) as the library does; over frames that do not know each other the mean."""
        if self._per_frame():
            return tokens_BND[:, :, 0].mean(1)
        if self.family == "vjepa2":
            return self.pooler(tokens_BND)
        if self.family == "videoprism_vision_model":
            return self.head_layernorm(self.head(tokens_BND)[0])[:, 0]
        if self.family == "videomae" and self.settings.use_mean_pooling:
            return self.fc_norm(tokens_BND.mean(1))
        return tokens_BND[:, 0]

    def from_library(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors of a file of the library under the names that it has for them in memory."""
        renamed = {}
        for name, tensor in state.items():
            for pattern, replacement in _IN_MEMORY.get(self.family, ()):
                name = re.sub(pattern, replacement, name)
            renamed[name] = tensor
        return renamed


def open_folder(cfg: CfgNode, *, dtype: Any = torch.float32) -> tuple[nn.Module, Stated, list[str]]:
    """Return the library's network of MODEL.BACKBONE with its weights, what it says about itself, and its new parts.

    Args:
        cfg: configuration.
        dtype: of the weights; "auto" keeps the folder's.

    Raises:
        InputError: as `HuggingFace.from_cfg`.
    """
    folder = repo_path(cfg.MODEL.BACKBONE or ".")
    settings = read_json(folder / "config.json", f"MODEL.BACKBONE {cfg.MODEL.BACKBONE!r}")
    model_type = settings.get("model_type")
    family = _family(model_type, folder)
    transformers = _library(family)
    config = _read_config(transformers, family, settings, folder)
    stated = _state(config, folder, model_type, cfg)
    check_clips(cfg, stated)
    if model_type == "vjepa2":  # its positions are counted with these
        config.crop_size, config.frames_per_clip = stated.size, stated.frames
    if config.num_labels != cfg.MODEL.NUM_CLASSES:
        config.num_labels = cfg.MODEL.NUM_CLASSES
    net, new_parts = _load(transformers, folder, config, family, dtype)
    return net, stated, new_parts


# Names in files, where the library has others in memory (transformers 5).
_IN_MEMORY = {
    "videomae": ((r"\.q_bias$", ".query.bias"), (r"\.v_bias$", ".value.bias")),
    "vivit": (
        (r"encoder\.layer\.", "layers."), (r"attention\.attention\.(q|k|v)\w+\.", r"attention.\1_proj."),
        (r"attention\.output\.dense", "attention.o_proj"), (r"intermediate\.dense", "mlp.fc1"),
        (r"output\.dense", "mlp.fc2"),
    ),
}  # fmt: skip


def _family(model_type: Any, folder: Path) -> _Family:
    """Return the family of a model type, or refuse it."""
    if isinstance(model_type, str) and model_type in _FAMILIES:
        return _FAMILIES[model_type]
    raise InputError(
        f"{folder / 'config.json'}: model_type is {model_type!r}, a video network is needed: "
        f"{', '.join(_FAMILIES)}; networks for images are MODEL.ARCH frames with timm's name"
    )


def _library(family: _Family) -> ModuleType:
    """Return `transformers`.

    Raises:
        InputError: it is not installed, has no torch, or does not know the network yet.
    """
    try:
        import transformers
    except ImportError:
        raise InputError(f"MODEL.ARCH huggingface needs transformers: {_PIP}") from None
    if not transformers.utils.is_torch_available():
        raise InputError(f"transformers {transformers.__version__} wants a newer torch: pip install -U torch")
    if int(transformers.__version__.partition(".")[0]) < _OLDEST:
        raise InputError(f"transformers {transformers.__version__} is too old: {_PIP}")
    if not hasattr(transformers, family.network):
        raise InputError(f"transformers {transformers.__version__} has no {family.network} yet: {_PIP}")
    return transformers


def _read_config(transformers: ModuleType, family: _Family, settings: dict[str, Any], folder: Path) -> Any:
    """Return the library's configuration object; of the folder's file only keys of its class are taken.

    Raises:
        InputError: values that the library refuses.
    """
    kind = getattr(transformers, family.config)
    known = {*kind().to_dict(), "qkv_bias"} - set(_NOT_FROM_FOLDERS)
    try:
        return kind(**{key: value for key, value in settings.items() if key in known})
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{folder / 'config.json'}: transformers refuses it ({reason}), fetch it again") from None


def _state(config: Any, folder: Path, model_type: str, cfg: CfgNode) -> Stated:
    """Return what a folder says about its network; where it takes any number of frames, that of the configuration."""
    family = _FAMILIES[model_type]
    size, patch = getattr(config, family.size), getattr(config, "patch_size", 1)
    if isinstance(size, (list, tuple)):
        size = size[0]
    colours = normalisation(folder) or family.colours
    stated = Stated(
        str(cfg.MODEL.BACKBONE), getattr(config, family.frames), size, *colours, "see the folder's model card",
        family.fixed_frames, True,
    )  # fmt: skip
    if not family.fixed_frames:
        stated = replace(stated, frames=cfg.DATA.NUM_FRAMES)
    if model_type == "vjepa2":
        stated = replace(stated, size=cfg.DATA.TRAIN_CROP_SIZE)
        if stated.frames % config.tubelet_size or stated.size % patch:
            raise InputError(
                f"MODEL.BACKBONE {stated.name} takes frames in groups of {config.tubelet_size} and sides of a multiple "
                f"of {patch} pixels, not {stated.frames} frames of {stated.size}: change DATA.NUM_FRAMES or "
                "DATA.TRAIN_CROP_SIZE"
            )
    return stated


def _load(
    transformers: ModuleType, folder: Path, config: Any, family: _Family, dtype: Any
) -> tuple[nn.Module, list[str]]:
    """Return the library's network with the weights of a folder, and what of it is new."""
    refuse_weights(folder)
    if torch.get_default_device().type == "meta":  # shapes are wanted, for which the library reads no file
        return getattr(transformers, family.network)(config), []
    with quiet():
        try:
            net, info = getattr(transformers, family.network).from_pretrained(
                folder, config=config, local_files_only=True, use_safetensors=True, output_loading_info=True,
                ignore_mismatched_sizes=True, dtype=dtype,
            )  # fmt: skip
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{folder}: transformers cannot read it ({reason}), fetch it again") from None
    return net, _new_parts(net, info, family, folder)


def _new_parts(net: nn.Module, info: dict[str, Any], family: _Family, folder: Path) -> list[str]:
    """Return the parts of the head that are new as a whole; refuse anything else that the library left random."""
    other = {row[0] if isinstance(row, tuple) else row for row in info["mismatched_keys"]}
    absent = {*info["missing_keys"], *other}
    new = []
    for part in ("classifier", *family.pooling):
        names = {name for name in net.state_dict() if name.startswith(f"{part}.")}
        if names and names <= absent:
            new.append(f"{part} ({'of another class count' if names & other else 'not in the folder'})")
            absent -= names
    if absent:
        some = ", ".join(sorted(absent)[:3])
        raise InputError(
            f"{folder}: {len(absent)} tensors of {family.network} are missing or of another shape ({some}) and would "
            "be random, fetch the folder again"
        )
    return new


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the library's tables and bars off the screen; what matters of them is read and said here."""
    from transformers.utils import logging as log

    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity(logging.CRITICAL)
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()
