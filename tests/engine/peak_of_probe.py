"""Peak memory of training an attentive probe on a frozen ViT-L/16 with random weights, in a process of its own.

    python tests/engine/peak_of_probe.py [--batch 8] [--frames 16] [--steps 2]

Prints one line of JSON: the peak of the whole process in GB, and the seconds of a step.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
import transformers

from slowfast.config import get_cfg
from slowfast.models import build_model
from slowfast.models.freeze import freeze_trunk

LARGE = dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096, image_size=224)


def large(folder, frames):
    """Write a folder of VideoMAE's ViT-L/16; its tensors are gone when this returns."""
    config = transformers.VideoMAEConfig(**LARGE, num_frames=frames, num_labels=11)
    transformers.VideoMAEForVideoClassification(config).save_pretrained(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--steps", type=int, default=2)
    args = parser.parse_args()
    torch.manual_seed(0)
    cfg = get_cfg()
    cfg.MODEL.ARCH, cfg.MODEL.HEAD, cfg.MODEL.NUM_CLASSES = "huggingface", "attentive", 11
    cfg.DATA.NUM_FRAMES, cfg.DATA.TRAIN_CROP_SIZE, cfg.DATA.TEST_CROP_SIZE = args.frames, 224, 224
    with tempfile.TemporaryDirectory() as folder:
        large(folder, args.frames)
        cfg.MODEL.BACKBONE = folder
        network = build_model(cfg)
    freeze_trunk(network)
    network.train()
    optimizer = torch.optim.AdamW([weight for weight in network.parameters() if weight.requires_grad])
    started = time.perf_counter()
    for _ in range(args.steps):
        clips_BCTHW = torch.rand(args.batch, 3, args.frames, 224, 224)
        loss = torch.nn.functional.cross_entropy(network(clips_BCTHW), torch.arange(args.batch) % 11)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    seconds = (time.perf_counter() - started) / args.steps
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9  # from KiB
    print(json.dumps({"peak_gb": round(peak, 2), "seconds_of_a_step": round(seconds, 1)}))


if __name__ == "__main__":
    main()
