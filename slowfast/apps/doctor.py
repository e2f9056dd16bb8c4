"""Looks at an installation: versions, decoders, GPU, disk, data root and lists; every finding comes with its fix."""

import importlib.metadata
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from fvcore.common.config import CfgNode

from slowfast.config import several_labels
from slowfast.datasets.loader import list_separators
from slowfast.demo.encoding import write_h264
from slowfast.lists.records import read_list
from slowfast.utils.errors import InputError
from slowfast.utils.gpu import find_gpu, has_mac_gpu
from slowfast.utils.paths import REPO_ROOT, repo_path
from slowfast.video import VideoError, open_video

PACKAGES = ("torch", "torchvision", "numpy", "av", "decord", "torchcodec", "timm", "fvcore", "safetensors", "snakemake")
OPTIONAL = {"decord": "pip install decord (x86-64 Linux)", "torchcodec": "pip install torchcodec, needs FFmpeg",
            "snakemake": 'pip install -e ".[workflow]"'}  # fmt: skip
SMALLEST_TORCH = (2, 4)
SMALLEST_DISK_GB = 5.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: what.
        state: `ok`, `note` (works, but something is missing) or `problem`.
        text: what was found.
        fix: what to do, empty when there is nothing to do.
    """

    topic: str
    state: str
    text: str
    fix: str = ""

    def line(self) -> str:
        """Return the finding as one line."""
        return f"[{self.state}] {self.topic}: {self.text}" + (f" -> {self.fix}" if self.fix else "")


def examine(cfg: CfgNode | None = None) -> list[Finding]:
    """Return all findings.

    Args:
        cfg: an experiment whose data root and lists are looked at too.
    """
    findings = [*_versions(), *_decoders(), _gpu(), _disk(repo_path(cfg.OUTPUT_DIR) if cfg else REPO_ROOT)]
    return findings + (list(_lists(cfg)) if cfg else [])


def _versions() -> Iterator[Finding]:
    """Yield Python and package versions."""
    yield Finding("python", "ok", f"{platform.python_version()} ({sys.executable})")
    for name in PACKAGES:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            fix = OPTIONAL.get(name, "pip install -e .")
            yield Finding(name, "note" if name in OPTIONAL else "problem", "not installed", fix)
            continue
        old = name == "torch" and tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < SMALLEST_TORCH
        yield Finding(name, "problem" if old else "ok", version, "pip install 'torch>=2.4'" if old else "")


def _decoders() -> Iterator[Finding]:
    """Yield whether each decoder opens a clip that was just written, and gives the right frames."""
    frames_THWC = (
        np.repeat(np.arange(0, 240, 30, dtype=np.uint8)[:, None, None, None], 64, 1).repeat(64, 2).repeat(3, 3)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probe.mp4"
        write_h264(path, frames_THWC, fps=8, crf=12)
        for backend in ("pyav", "decord", "torchcodec"):
            try:
                video = open_video(path, backend)
                read_THWC = video.get_frames(np.arange(len(video)))
                instead = getattr(video, "handed_over", "")
                video.close()
            except (VideoError, InputError) as error:
                yield Finding(f"decoder {backend}", "problem" if backend == "pyav" else "note", str(error))
                continue
            if instead:
                fix = "set DATA.DECODING_BACKEND pyav, which reads everything anyway, or install it again"
                yield Finding(f"decoder {backend}", "note", f"it cannot read a small clip ({instead})", fix)
                continue
            difference = int(np.abs(read_THWC.astype(int) - frames_THWC[: len(read_THWC)]).max())
            right = len(read_THWC) == len(frames_THWC) and difference <= 12
            yield Finding(f"decoder {backend}", "ok" if right else "problem", f"{len(read_THWC)} frames decoded")


def _gpu() -> Finding:
    """Return what GPUs there are."""
    found, reason = find_gpu()
    if reason:
        return Finding("gpu", "problem", reason, "install the driver that this torch needs, or a torch for this driver")
    if not found:
        what = "that of a Mac (mps) is not used" if has_mac_gpu() else "none"
        return Finding("gpu", "note", f"{what}: everything runs on the CPU", "full-size training needs GPUs")
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return Finding("gpu", "ok", ", ".join(names))


def _disk(folder: Path) -> Finding:
    """Return the free space where results go."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    low = free < SMALLEST_DISK_GB
    return Finding(
        "disk", "problem" if low else "ok", f"{free:.1f} GB free at {folder}", "free some space" if low else ""
    )


def _lists(cfg: CfgNode) -> Iterator[Finding]:
    """Yield the state of the data root and of every list of a configuration."""
    root = repo_path(cfg.DATA.PATH_PREFIX)
    if not root.is_dir():
        yield Finding("data root", "problem", f"{root} does not exist", "see DATASET.md, or set DATA.PATH_PREFIX")
        return
    yield Finding("data root", "ok", str(root))
    for name, (csv, folder, *_) in cfg.DATA.SPLITS.items():
        csv = csv or cfg.DATA.PSEUDO_CSV
        if not csv:
            continue
        try:
            records = read_list(
                root / csv,
                root / folder,
                separator=list_separators(cfg, name),
                num_classes=cfg.MODEL.NUM_CLASSES,
                labelled=False,
                allow_outside=cfg.DATA.ALLOW_OUTSIDE,
                several=several_labels(cfg),
            )
        except InputError as error:
            yield Finding(f"split {name}", "note", str(error))
            continue
        yield Finding(f"split {name}", "ok", f"{len(records)} clips")
