"""Every row of the facts about libraries (backbones.md beside the reference data) is held by tests."""

import ast

import pytest

_HERE = "tests/models/"
_HUGGING_FACE, _TORCHVISION = _HERE + "test_huggingface.py", _HERE + "test_torchvision_video.py"
_FACTS, _FRAMES, _ALL = (_HERE + f"test_{name}.py" for name in ("facts_of_libraries", "frames", "library_networks"))
# Beginning of a row's first cell: its tests.
ROWS = {
    "TimeSformer, clip of 4 or 16 frames": {
        _HUGGING_FACE: ["timesformer_gets_the_number_of_frames_of_the_configuration"]
    },
    "TimeSformer `space_only`": {_HUGGING_FACE: ["timesformer_of_single_frames_gives_one_row_per_clip"]},
    "VideoPrism": {_HUGGING_FACE: ["videoprism_is_built_from_its_vision_configuration_and_gives_one_row"]},
    "a key missing": {_HUGGING_FACE: ["a_missing_tensor_is_refused_where_the_library_makes_it_random"]},
    "VideoMAE biases": {_HUGGING_FACE: ["videomae_and_vivit_have_other_names_in_files_than_in_memory"]},
    "V-JEPA 2 classifier": {
        _HUGGING_FACE: [
            "vjepa2_has_a_predictor_without_gradient_and_a_pooler_outside_its_trunk",
            "a_probe_trains_the_pooling_weights_too",
        ],
        "tests/engine/test_backbones.py": ["two_processes_miss_no_gradient"],
    },
    "ViViT": {_HUGGING_FACE: ["fixed_clips"]},
    "BatchNorm layers": {
        _TORCHVISION: ["batch_norms_that_adaptation_reaches"],
        "tests/engine/test_backbones.py": ["a_folder_is_a_voter_and_comes_back_as_one"],
    },
    "`mvit_v2_s`": {_TORCHVISION: ["clips_that_do_not_fit_are_refused_before_anything_runs"]},
    "`swin3d_t`": {_TORCHVISION: ["swin_takes_anything"]},
    "`s3d`": {
        _TORCHVISION: ["clips_that_do_not_fit_are_refused_before_anything_runs", "names_of_the_heads", "head_of_s3d"]
    },
    "head's name": {_TORCHVISION: ["names_of_the_heads"]},
    "normalisation": {
        _TORCHVISION: ["full_size", "own_colours_win_with_one_line", "some_networks_were_trained_on_stretched_frames"]
    },
    "processors": {_HUGGING_FACE: ["processors", "colours_come_from_the_processor_in_the_folder"]},
    "sharded folder": {_HERE + "test_huggingface_folders.py": ["shards_and_one_tensor_above_the_limit"]},
    "peft `all-linear`": {
        _FACTS: [
            "all_linear_wraps_the_classifier_and_freezes_it",
            "query_and_value_alone_leave_the_head_untrained_and_unsaved",
        ],
        _HERE + "test_lora.py": ["adapters_begin_at_nothing_and_the_head_is_trained"],
    },
    "timm `vit_small_patch16_dinov3`": {_FRAMES: ["dinov3_gives_the_mean_of_its_patches"]},
    "timm `vit_pe_core_*`": {_FRAMES: ["pe_core_pools_by_attention_and_its_own_head_is_no_classifier"]},
    "Grad-CAM on r3d_18": {
        _FACTS: [
            "the_last_layer_of_r3d_18_has_one_time_step_for_eight_frames",
            "grad_cam_on_that_layer_has_equal_frames_and_nothing_for_some_classes",
            "maps_of_such_networks_are_refused_in_a_sentence",
        ]
    },
    "`torch.compile` (r2plus1d), ONNX": {_ALL: ["torch_compile", "onnx"]},
}


@pytest.mark.parametrize("row", ROWS)
def test_the_tests_of_a_row_exist(row, repo):
    for file, names in ROWS[row].items():
        tree = ast.parse((repo / file).read_text(encoding="utf-8"))
        there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert {f"test_{name}" for name in names} <= there, (row, file)


def test_no_row_is_without_tests(shared):
    path = shared / "backbones.md"
    if not path.is_file():
        pytest.skip("the facts are not beside the reference data")
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    firsts = [line.split("|")[1].strip() for line in lines[1:] if not line.startswith("| what ")]
    found = [[row for row in ROWS if first.startswith(row)] for first in firsts]
    assert all(len(rows) >= 1 for rows in found), [first for first, rows in zip(firsts, found) if not rows]
    assert {row for rows in found for row in rows} == set(ROWS) and len(firsts) == len(ROWS)
