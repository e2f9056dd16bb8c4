"""Reads folders of weights from strangers: a configuration as data, safetensors whole, nothing pickled, no code."""

import json
from pathlib import Path
from typing import Any

from slowfast.utils.errors import InputError

_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".msgpack", ".h5")
_PROCESSORS = ("video_preprocessor_config.json", "preprocessor_config.json")
_LARGEST_JSON = 64 << 20


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Return the object in a JSON file.

    Args:
        path: the file.
        what: what names its folder, for the message.

    Raises:
        InputError: the folder or file does not exist, or holds something else.
    """
    if not path.parent.is_dir():
        raise InputError(f"{what}: {path.parent} is no folder; download the network's folder and name it")
    if not path.is_file():
        raise InputError(f"{what}: {path.parent} has no {path.name}; a folder as save_pretrained writes it is needed")
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise ValueError("too large")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable as JSON ({error}), fetch it again") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: no JSON object, fetch it again")
    return content


def refuse_weights(folder: Path) -> None:
    """Refuse a folder without whole safetensors, or with something that makes a library read elsewhere.

    Raises:
        InputError: naming folder and reason.
    """
    if (folder / "adapter_config.json").exists():
        raise InputError(f"{folder}: an adapter (PEFT) and no whole network; merge it and save it with save_pretrained")
    if (folder / _WEIGHTS).is_file():
        return
    if not (folder / _INDEX).is_file():
        pickled = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLED)
        if pickled:
            raise InputError(
                f"{folder}: its weights are pickled ({pickled[0]}), which can run code, and are refused; fetch "
                f'{_WEIGHTS} instead, or write it where nothing is at stake: python -c "from transformers import '
                f"AutoModelForVideoClassification as M; M.from_pretrained({str(folder)!r}).save_pretrained('new')\""
            )
        raise InputError(f"{folder}: no {_WEIGHTS} in it, fetch the weights too")
    shards = read_json(folder / _INDEX, str(folder)).get("weight_map")
    names = set(shards.values()) if isinstance(shards, dict) and shards else {None}
    for name in sorted(map(str, names)):
        if name != Path(name).name or not name.endswith(".safetensors"):
            raise InputError(f"{folder / _INDEX}: {name!r} is no file of safetensors beside it, fetch it again")
        if not (folder / name).is_file():
            raise InputError(f"{folder}: {name}, named by {_INDEX}, is missing, fetch it")


def normalisation(folder: Path) -> tuple[list[float], list[float]] | None:
    """Return (mean, std) for RGB values in 0..1 that a folder's processor file stands for, or None.

    Raises:
        InputError: a file that holds no such numbers.
    """
    path = next((folder / name for name in _PROCESSORS if (folder / name).is_file()), None)
    if path is None:
        return None
    settings = read_json(path, str(folder))
    try:
        return _normalisation(settings)
    except (TypeError, ValueError, ZeroDivisionError):
        raise InputError(f"{path}: no three numbers in image_mean and image_std, fetch it again") from None


def _normalisation(settings: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation, with rescaling and offset in them."""
    rescaled, normalised = settings.get("do_rescale", True), settings.get("do_normalize", True)
    scale = 255 * float(settings.get("rescale_factor", 1 / 255)) if rescaled else 255.0
    kind = str(settings.get("video_processor_type") or settings.get("image_processor_type"))
    shifted = bool(settings.get("offset", kind.startswith("Vivit"))) and rescaled
    mean = (
        [float(value) for value in settings["image_mean"]] if normalised and settings.get("image_mean") else [0.0] * 3
    )
    std = [float(value) for value in settings["image_std"]] if normalised and settings.get("image_std") else [1.0] * 3
    if len(mean) != 3 or len(std) != 3 or 0 in std or scale == 0:
        raise ValueError
    return [(value + shifted) / scale for value in mean], [value / scale for value in std]
