"""Program of the memory test: print the peak memory in KiB after reading each video in turn.

usage: peak.py CONFIG VIDEO...
"""

import resource
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from slowfast.config import load_config
from slowfast.features.build import build_plan, build_preprocess
from slowfast.features.extractor import VideoReader

cfg = load_config(sys.argv[1])
for path in sys.argv[2:]:
    reader = VideoReader(path, plan=build_plan(cfg), prepare=build_preprocess(cfg), batch_size=4)
    windows = sum(len(batch.clips(torch.device("cpu"))) for batch in reader)
    print(reader.facts["num_frames"], windows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
