"""State dicts in other hands' naming, told apart by their keys and renamed to ours.

Layouts: names as they are, with the prefixes of wrappers, VideoMAE of Hugging Face `transformers`, `mvit_v1_b` of
torchvision, SlowFast of AlphAction and PySlowFast, and Caffe2 blobs.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

State = dict[str, Tensor]

OWN = "this library's names"

# Of DistributedDataParallel, torch.compile, FSDP, activation checkpointing and Lightning Fabric.
_WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module")
_WRAPPER = re.compile(rf"(?:(?<=\.)|^)(?:{'|'.join(_WRAPPERS)})\.")
_OWNERS = re.compile(r"^((model|net)\.)+")
_LEADING = {*_WRAPPERS, "model", "net", "encoder", "backbone"}
_DEEPEST = 4


def _without_wrappers(state: Mapping[str, Tensor]) -> State:
    """Return the state without the parts of names that wrappers add, wherever they stand."""
    return {_WRAPPER.sub("", name): tensor for name, tensor in state.items()}


def _without_leading(state: Mapping[str, Tensor], count: int) -> State:
    """Return the state without the first parts of names, at most `count` of each, that usually name the whole."""
    plain = {}
    for name, tensor in state.items():
        parts = name.split(".")
        known = 0
        while known < min(count, len(parts) - 1) and parts[known] in _LEADING:
            known += 1
        plain[".".join(parts[known:])] = tensor
    return plain


def strip_prefixes(state: Mapping[str, Tensor]) -> State:
    """Return the state without wrappers and `backbone.` anywhere in its names, and without leading names."""
    bare = {re.sub(r"(?:(?<=\.)|^)backbone\.", "", name): tensor for name, tensor in _without_wrappers(state).items()}
    return _without_leading(bare, len(_LEADING))


def rename(state: Mapping[str, Tensor], rules: Sequence[tuple[str, Any]]) -> State:
    """Return the state with every name rewritten by all regular expressions in order."""
    renamed = {}
    for name, tensor in state.items():
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        renamed[name] = tensor
    return renamed


def undoing(rules: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the rules that undo rules of dots, letters and at most one group that both sides have."""
    undone = []
    for pattern, replacement in rules:
        group = next(iter(re.findall(r"\(.*\)", pattern)), "")
        start, end = "^" * pattern.startswith("^"), "$" * pattern.endswith("$")
        back = start + replacement.replace(".", r"\.").replace(r"\1", group) + end
        undone.append((back, pattern.strip("^$").replace(group or "\0", r"\1").replace(r"\.", ".")))
    return undone


VIDEOMAE = (
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^encoder\.layer\.", "blocks."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.attention\.attention\.", ".attn."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"^layernorm\.", "norm."),
    (r"^classifier\.", "head."),
)
_HUGGING_FACE = (
    (r"^videomae\.", ""),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"\.attention\.attention\.(query|value)\.bias$", lambda m: f".attn.{m[1][0]}_bias"),
    *VIDEOMAE,
)


def _from_hugging_face(state: Mapping[str, Tensor]) -> State:
    """Return VideoMAE weights of `transformers`, query, key and value joined."""
    renamed = rename(state, _HUGGING_FACE)
    for name in [name for name in renamed if name.endswith(".attn.query.weight")]:
        block = name.removesuffix("query.weight")
        parts = [renamed.pop(f"{block}{part}.weight", None) for part in ("query", "key", "value")]
        if all(part is not None for part in parts):
            renamed[f"{block}qkv.weight"] = torch.cat(parts)
    return renamed


TORCHVISION = (
    (r"^conv_proj\.", "patch_embed.proj."),
    (r"^pos_encoding\.class_token$", "cls_token"),
    (r"^pos_encoding\.(spatial|temporal|class)_pos$", r"pos_embed_\1"),
    (r"\.attn\.project\.0\.", ".attn.proj."),
    (r"\.attn\.pool_([qkv])\.pool\.", r".attn.pool_\1."),
    (r"\.attn\.pool_([qkv])\.norm_act\.0\.", r".attn.norm_\1."),
    (r"\.mlp\.0\.", ".mlp.fc1."),
    (r"\.mlp\.3\.", ".mlp.fc2."),
    (r"^(blocks\.\d+)\.project\.", r"\1.proj."),
    (r"^head\.1\.", "head.projection."),
)


# {layout: (pattern of LayerNorms, their epsilon there)} where it is not ours and shows; no file holds it.
EPSILONS = {"torchvision": ((r"\.attn\.norm_[qkv]$", 1e-6),)}


def _from_torchvision(state: Mapping[str, Tensor]) -> State:
    """Return MViT weights of torchvision, tokens and positions with the axes (1, N, D)."""
    renamed = rename(state, TORCHVISION)
    for name, tensor in renamed.items():
        if name == "cls_token" or name.startswith("pos_embed"):
            renamed[name] = tensor.reshape(1, -1, tensor.shape[-1])
    return renamed


_BLOB_PARTS = {"w": "weight", "b": "bias", "s": "weight", "rm": "running_mean", "riv": "running_var"}
_CAFFE2 = (
    (r"^(t_)?conv1", lambda m: f"s1.{_path(m[1])}_stem.conv"),
    (r"^(t_)?res_conv1_bn", lambda m: f"s1.{_path(m[1])}_stem.bn"),
    (r"^t_pool1_subsample_bn", "s1_fuse.bn"),
    (r"^t_pool1_subsample", "s1_fuse.conv_f2s"),
    (r"^t_res(\d)_\d+_branch2c_bn_subsample_bn", r"s\1_fuse.bn"),
    (r"^t_res(\d)_\d+_branch2c_bn_subsample", r"s\1_fuse.conv_f2s"),
    (r"^(t_)?res(\d)_(\d+)_branch1_bn", lambda m: f"s{m[2]}.{_path(m[1])}_res{m[3]}.branch1_bn"),
    (r"^(t_)?res(\d)_(\d+)_branch1", lambda m: f"s{m[2]}.{_path(m[1])}_res{m[3]}.branch1"),
    (r"^(t_)?res(\d)_(\d+)_branch2([abc])_bn", lambda m: f"s{m[2]}.{_path(m[1])}_res{m[3]}.branch2.{m[4]}_bn"),
    (r"^(t_)?res(\d)_(\d+)_branch2([abc])", lambda m: f"s{m[2]}.{_path(m[1])}_res{m[3]}.branch2.{m[4]}"),
    (r"^nonlocal_conv(\d)_(\d+)_bn", r"s\1.pathway0_nonlocal\2.bn"),
    (r"^nonlocal_conv(\d)_(\d+)_(theta|phi|g|out)", r"s\1.pathway0_nonlocal\2.conv_\3"),
    (r"^pred", "head.projection"),
)


def _path(fast: str | None) -> str:
    """Return the pathway that a Caffe2 name belongs to."""
    return "pathway1" if fast else "pathway0"


def caffe2_name(blob: str) -> str:
    """Return the PySlowFast name of a Caffe2 blob; an unknown blob keeps its own."""
    stem, _, part = blob.rpartition("_")
    if part not in _BLOB_PARTS:
        return blob
    for pattern, replacement in _CAFFE2:
        match = re.fullmatch(pattern, stem)
        if match:
            name = replacement(match) if callable(replacement) else match.expand(replacement)
            return f"{name}.{_BLOB_PARTS[part]}"
    return blob


_BRANCHES = {"a": "conv1", "b": "conv2", "c": "conv3"}
_PYSLOWFAST = (
    (r"^s1\.pathway([01])_stem\.conv\.", lambda m: f"{_side(m[1])}.conv1."),
    (r"^s1\.pathway([01])_stem\.bn\.", lambda m: f"{_side(m[1])}.bn1."),
    (r"^s(\d)\.pathway([01])_res(\d+)\.branch1_bn\.", lambda m: f"{_block(m)}.shortcut.bn."),
    (r"^s(\d)\.pathway([01])_res(\d+)\.branch1\.", lambda m: f"{_block(m)}.shortcut.conv."),
    (r"^s(\d)\.pathway([01])_res(\d+)\.branch2\.([abc])_bn\.", lambda m: f"{_block(m)}.btnk.{_BRANCHES[m[4]]}.bn."),
    (r"^s(\d)\.pathway([01])_res(\d+)\.branch2\.([abc])\.", lambda m: f"{_block(m)}.btnk.{_BRANCHES[m[4]]}.conv."),
    (r"^s(\d)_fuse\.conv_f2s\.", r"fast.Tconv\1.conv."),
    (r"^head\.projection\.", "projection."),
)


def _side(pathway: str) -> str:
    """Return the path of a PySlowFast pathway number."""
    return "fast" if pathway == "1" else "slow"


def _block(match: re.Match) -> str:
    """Return the residual block of a PySlowFast stage, pathway and block number."""
    return f"{_side(match[2])}.res_nl{int(match[1]) - 1}.res_{match[3]}"


def _from_pyslowfast(state: Mapping[str, Tensor]) -> State:
    """Return SlowFast weights of PySlowFast, the BatchNorm after a lateral convolution folded into it."""
    renamed = rename(state, _PYSLOWFAST)
    for stage in range(1, 5):
        parts = [renamed.pop(f"s{stage}_fuse.bn.{part}", None) for part in _BLOB_PARTS_OF_BN]
        renamed.pop(f"s{stage}_fuse.bn.num_batches_tracked", None)
        name = f"fast.Tconv{stage}.conv.weight"
        if name in renamed and all(part is not None for part in parts):
            weight, bias, mean, variance = parts
            factor = weight * torch.rsqrt(variance + 1e-5)
            renamed[name] = renamed[name] * factor.view(-1, 1, 1, 1, 1)
            renamed[f"fast.Tconv{stage}.conv.bias"] = bias - mean * factor
    return renamed


_BLOB_PARTS_OF_BN = ("weight", "bias", "running_mean", "running_var")


def _from_caffe2(state: Mapping[str, Tensor]) -> State:
    """Return SlowFast weights of Caffe2 blobs."""
    return _from_pyslowfast({caffe2_name(name): tensor for name, tensor in state.items()})


def candidates(state: Mapping[str, Tensor], clear_patterns: Sequence[str] = ()) -> list[tuple[str, State]]:
    """Return (layout, renamed state) for every reading of the names of a state dict, none twice.

    The names as they are come first, so that a network whose trunk is called `backbone` finds its own.

    Args:
        state: tensors as the file names them.
        clear_patterns: substrings that may be removed wherever they occur in a name.
    """
    cleared = dict(state)
    for pattern in clear_patterns:
        cleared = {name.replace(pattern, ""): tensor for name, tensor in cleared.items()}
    found: dict[tuple[str, ...], tuple[str, State]] = {}
    for start in (state, cleared):
        for layout, renamed in _readings(start):
            # Where a reading gives two tensors one name, it is the wrong one.
            if layout != OWN or len(renamed) == len(state):
                found.setdefault(tuple(renamed), (layout, renamed))
    return list(found.values())


def _readings(state: Mapping[str, Tensor]) -> Iterator[tuple[str, State]]:
    """Yield (layout, renamed state): as it is, in the layouts that its names suggest, without prefixes."""
    yield OWN, dict(state)
    unwrapped = _without_wrappers(state)
    bare = {_OWNERS.sub("", name): tensor for name, tensor in unwrapped.items()}
    if any(".attention.attention." in name for name in bare):
        yield "Hugging Face transformers", _from_hugging_face(bare)
    if "pos_encoding.class_token" in bare:
        yield "torchvision", _from_torchvision(bare)
    if any(re.search(r"s1\.pathway0_stem\.", name) for name in state):
        yield "PySlowFast", _from_pyslowfast(strip_prefixes(state))
    if "conv1_w" in state:
        yield "Caffe2", _from_caffe2(state)
    for start, fewest in ((unwrapped, 0), (state, 1)):
        for count in range(fewest, _DEEPEST + 1):
            yield OWN, _without_leading(start, count)
    yield OWN, strip_prefixes(state)
