#!/usr/bin/env bash
# Shows: the V-JEPA 2 classifier of transformers takes clips that its configuration does not fit, without an error or a
#        warning: with an odd number of frames the last one is dropped (bit-equal logits), and at another side than
#        crop_size the positions of the patches are computed for the configured grid, so the answer is wrong.
# Versions: transformers 5.24.0, torch 2.14.1
# Date: 2026-11-27
# Seen: tiny random network, tubelets of 2: 3 frames give the logits of the first 2 exactly; a clip of side 48 given to a
#       network configured for 32 differs by more than 0.01 from the same weights configured for 48 (0 expected).
# Guess: an error that names frames or size, as ViViT and VideoMAE of the same library raise, or positions for the clip's grid.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.14.1 transformers==5.24.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

import torch
from transformers import VJEPA2Config, VJEPA2ForVideoClassification

warnings.simplefilter("error")


def network(side):
    """Return a tiny classifier for clips of 4 frames of a side."""
    config = VJEPA2Config(
        crop_size=side, patch_size=16, frames_per_clip=4, tubelet_size=2, hidden_size=48, num_attention_heads=2,
        num_hidden_layers=2, mlp_ratio=2, pred_hidden_size=48, pred_num_attention_heads=2, pred_num_hidden_layers=1,
        num_pooler_layers=1, num_labels=5,
    )  # fmt: skip
    torch.manual_seed(0)
    model = VJEPA2ForVideoClassification(config).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    return model


torch.manual_seed(1)
clip = torch.randn(1, 3, 3, 32, 32)
large = torch.randn(1, 4, 3, 48, 48)
with torch.no_grad():
    small, fitting = network(32), network(48)
    fitting.load_state_dict(small.state_dict())
    odd, even = small(pixel_values_videos=clip).logits, small(pixel_values_videos=clip[:, :2]).logits
    wrong, right = small(pixel_values_videos=large).logits, fitting(pixel_values_videos=large).logits
print("3 frames and their first 2: equal", torch.equal(odd, even))
print("side 48, configured for 32 and for 48: largest difference", float((wrong - right).abs().max()))
sys.exit(not (torch.equal(odd, even) and (wrong - right).abs().max() > 0.01))
PYTHON
