"""Program of the memory test: extract from each video in turn; print frames, windows and the peak memory in KiB so far.

usage: peak.py OUTPUT VIDEO...

The windows and frames are those of ViT-L, the network behind them is tiny.
"""

import resource
import sys
from pathlib import Path

import torch

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO))

from slowfast.config import load_config
from slowfast.features.build import build_extraction
from slowfast.features.store import FeatureIndex
from slowfast.features.videos import VideoFile
from slowfast.models import build_model

SMALL = ["NUM_GPUS", "0", "VIDEOMAE.EMBED_DIM", "32", "VIDEOMAE.DEPTH", "1", "VIDEOMAE.NUM_HEADS", "2"]

cfg = load_config(REPO / "configs/features/videomae_vitl_hybrid_k700.yaml", SMALL)
output = Path(sys.argv[1])
for number, path in enumerate(sys.argv[2:]):
    extraction = build_extraction(cfg, build_model(cfg), torch.device("cpu"), "random")
    video = VideoFile(str(number), Path(path), output / f"{number}.npz")
    row = extraction.run([video], FeatureIndex(output))[0]
    print(row.frames, row.windows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
