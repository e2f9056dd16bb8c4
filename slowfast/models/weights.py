"""Load the weights of a file into a network, with a report of every name and a refusal when too few fit."""

import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from slowfast.models.convert import SourceSizes, UnclearGrid, inflate, repeat_to, resize_positions
from slowfast.models.entries import choose_state, clip_size, some
from slowfast.models.lora import merge_adapters
from slowfast.models.naming import EPSILONS, State, candidates
from slowfast.utils.errors import InputError
from slowfast.utils.untrusted.weight_files import read_weights_file

logger = logging.getLogger(__name__)

SMALLEST_SHARE = 0.9
HEADS = ("head.", "projection.")
FOREIGN_HEADS = ("cls_head.",)


@dataclass
class LoadReport:
    """What happened to every tensor of a file and of a network.

    Attributes:
        path: the file.
        layout: whose naming the file uses.
        matched: names of the network that got a value.
        missing: names of the network that kept their own.
        unexpected: names of the file that the network has no place for.
        converted: {name: how} of matched tensors that had another shape.
        dropped: {name: why} of tensors that were left out: another class count or shape.
        share: matched share of the network's parameters outside the head, 0 to 1.
        epsilons: {LayerNorm: epsilon} that was set to what the library of this layout uses.
        new_head: names of the network's head that the file has for another class count.
        unclear: {name: why} of tables of positions whose grid cannot be told.
        entry: name of the entry of the file that was chosen, empty for the usual one.
        others: names of the other entries that hold weights (EMA).
    """

    path: str
    layout: str
    matched: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    converted: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    share: float = 0.0
    epsilons: dict[str, float] = field(default_factory=dict)
    new_head: list[str] = field(default_factory=list)
    unclear: dict[str, str] = field(default_factory=dict)
    entry: str = ""
    others: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """Return the report as one line."""
        parts = [f"{len(self.matched)} tensors matched ({100 * self.share:.1f} % of the parameters outside the head)"]
        if self.converted:
            parts.append(f"{len(self.converted)} of them converted ({next(iter(self.converted.values()))})")
        for label, names in (
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("dropped", [f"{name}: {why}" for name, why in self.dropped.items()]),
        ):
            if names:
                parts.append(f"{len(names)} {label} ({some(names)})")
        if self.epsilons:
            value = next(iter(self.epsilons.values()))
            parts.append(f"epsilon of {len(self.epsilons)} LayerNorms set to {value:g} as in that library")
        if self.others:
            parts.append(f"the file also holds the weights {some(self.others)} (CHECKPOINT_WEIGHTS chooses)")
        chosen = f", its {self.entry}," if self.entry else ""
        return f"{self.path}{chosen} in {self.layout}: {', '.join(parts)}"

    def listing(self) -> str:
        """Return every name, one per line, by what happened to it."""
        groups = (
            ("matched", self.matched),
            ("converted", [f"{name}: {how}" for name, how in self.converted.items()]),
            ("missing (the network keeps its own values)", self.missing),
            ("unexpected (the network has no place)", self.unexpected),
            ("dropped", [f"{name}: {why}" for name, why in self.dropped.items()]),
        )
        return "\n".join(
            "\n".join([f"{label}: {len(names)}", *(f"  {name}" for name in names)]) for label, names in groups
        )


def load_weights(
    model: nn.Module,
    path: str | Path,
    *,
    clear_patterns: Sequence[str] = (),
    entry: str = "",
    grid: Sequence[int] = (),
    smallest_share: float = SMALLEST_SHARE,
    complete: bool = False,
    head: bool = True,
) -> LoadReport:
    """Copy the tensors of a file into a network.

    Weights in another library's naming also bring that library's LayerNorm epsilons, as module attributes.

    Args:
        model: network that receives the weights; untouched when the file is refused. Its `head_names` say how the
            names of its classifier begin.
        path: `.pth`-like file of `torch.save`, Caffe2 pickle, `.safetensors`, or an index of several; only tensors are
            read from it.
        clear_patterns: substrings that are removed wherever they occur in a name, when that fits better.
        entry: name of the entry that holds the weights, empty for the usual ones.
        grid: (T, H, W) of tables of positions in the file whose grid cannot be told from their length.
        smallest_share: smallest share of the parameters outside the head that has to match, 0 to 1; at 0 tensors of
            other sizes are left out too.
        complete: refuse when any tensor is missing, but for a head of another class count, which stays as it is.
        head: with `complete`, the head is needed too.

    Returns:
        What matched, is missing, unexpected, converted and dropped.

    Raises:
        InputError: no readable checkpoint, or one that fits too little of the network.
    """
    content = read_weights_file(path)
    state, others = choose_state(content, path, entry)
    state = merge_adapters(state)
    sizes = SourceSizes(clip=clip_size(content), grid=tuple(grid) or None)
    plans = [_match(model, renamed, LoadReport(str(path), layout, entry=entry, others=others), sizes)
             for layout, renamed in _layouts(model, state, clear_patterns)]  # fmt: skip
    smallest_share = max(smallest_share, getattr(model, "smallest_share", 0.0))
    report, values = max(plans, key=lambda plan: (plan[0].share, len(plan[0].matched)))
    if report.unclear:
        raise InputError(_unclear(report))
    if report.share < smallest_share:
        raise InputError(_refusal(report, smallest_share))
    if smallest_share > 0:
        _refuse_misfits(model, report)
    if complete:
        _refuse_missing(model, report, head)
    targets = dict(model.named_parameters()) | dict(model.named_buffers())
    with torch.no_grad():
        for name, value in values.items():
            targets[name].copy_(value)
    _set_epsilons(model, report)
    if report.new_head:
        logger.warning("%s: head left out: %s", path, report.dropped[report.new_head[0]])
    return report


def head_prefixes(model: nn.Module) -> tuple[str, ...]:
    """Return how the names of a network's classifier begin; it may declare that in `head_names`."""
    declared = getattr(model, "head_names", HEADS)
    return (declared,) if isinstance(declared, str) else tuple(declared)


def _layouts(model: nn.Module, state: State, clear_patterns: Sequence[str]) -> list[tuple[str, State]]:
    """Return (layout, renamed state) for every layout that a state may have; a network may know one of its own."""
    found = list(candidates(state, clear_patterns))
    if hasattr(model, "from_library"):
        found.append(("the library's files", model.from_library(state)))
    return found


def _refuse_misfits(model: nn.Module, report: LoadReport) -> None:
    """Refuse a file whose tensors have the names but not the sizes of the network's: a wrong kernel, width or head."""
    own, heads = model.state_dict(), head_prefixes(model)
    misfits = [f"{name}: {why}" for name, why in report.dropped.items() if name in own and not name.startswith(heads)]
    if misfits:
        raise InputError(
            f"{report.path}: {len(misfits)} of {len(own)} tensors have other sizes than the network's "
            f"({some(misfits)}): set the sizes under MODEL.ARCH's section to those of the file"
        )


def _refuse_missing(model: nn.Module, report: LoadReport, head: bool) -> None:
    """Refuse a file in which a tensor of the network is missing; counters of iterations and a new head may be."""
    own, heads = model.state_dict(), head_prefixes(model)
    needed = [name for name in report.missing if own[name].is_floating_point()]
    if report.new_head or not head:
        needed = [name for name in needed if not name.startswith(heads)]
    if needed:
        raise InputError(
            f"{report.path}: {len(needed)} of {len(own)} tensors of the network are not in it ({some(needed)}): it "
            "belongs to another network or other sizes, check MODEL.ARCH and the sizes"
        )


def _unclear(report: LoadReport) -> str:
    """Return the sentence that refuses tables of positions of unknown grids."""
    name, why = next(iter(report.unclear.items()))
    return (
        f"{report.path}: the grid of {name} cannot be told, {why}: set TRAIN.CHECKPOINT_GRID to the frames, rows and "
        "columns of its tokens, like [8, 14, 14]"
    )


def _set_epsilons(model: nn.Module, report: LoadReport) -> None:
    """Give LayerNorms the epsilon with which the weights of another library are used there; files do not hold it."""
    for pattern, epsilon in EPSILONS.get(report.layout, ()):
        for name, module in model.named_modules():
            if isinstance(module, nn.LayerNorm) and re.search(pattern, name):
                module.eps = report.epsilons[name] = epsilon


def _match(
    model: nn.Module, state: dict[str, Tensor], report: LoadReport, sizes: SourceSizes
) -> tuple[LoadReport, dict[str, Tensor]]:
    """Fill the report and return it with the values that a renamed state dict has for a network."""
    values: dict[str, Tensor] = {}
    own, heads = model.state_dict(), head_prefixes(model)
    grids = model.position_grids() if hasattr(model, "position_grids") else {}
    first = (tensor for tensor in state.values() if tensor.ndim == 5 and tensor.shape[1] == 3)
    sizes = replace(sizes, kernel=next((tuple(tensor.shape[2:]) for tensor in first), None))
    other_head = _other_head(own, state, heads)
    report.new_head = list(other_head)
    for name, tensor in state.items():
        if name in other_head:
            report.dropped[name] = other_head[name]
        elif name in own:
            _fit(name, tensor, own[name], grids.get(name), sizes, report, values)
        elif name.startswith(FOREIGN_HEADS):
            report.dropped[name] = "head of another network, its classes are not ours"
        else:
            report.unexpected.append(name)
    report.matched = list(values)
    report.missing = [name for name in own if name not in values]
    outside = {name: p.numel() for name, p in model.named_parameters() if not name.startswith(heads)}
    found = sum(count for name, count in outside.items() if name in values)
    report.share = found / max(sum(outside.values()), 1)
    return report, values


def _fit(
    name: str,
    tensor: Tensor,
    own: Tensor,
    place: tuple[tuple[int, int, int], int] | None,
    sizes: SourceSizes,
    report: LoadReport,
    values: dict[str, Tensor],
) -> None:
    """Add the value for one tensor, converted where its shape or grid differs, or say why it was left out."""
    value, how = None, ""
    if place is not None and not (tensor.shape == own.shape and _same_grid(*place, sizes)):
        try:
            value, how = resize_positions(tensor, own.shape, *place, sizes) or (None, "")
        except UnclearGrid as error:
            report.unclear[name] = str(error)
    elif tensor.shape == own.shape:
        value = tensor
    elif own.ndim == 5:
        value, how = inflate(tensor, own.shape), f"2D kernels inflated to {own.shape[2]} frames"
    elif own.ndim == 1:
        value, how = repeat_to(tensor, own.shape), "statistics repeated"
    if value is None:
        report.dropped[name] = f"shape {tuple(tensor.shape)} in the file, {tuple(own.shape)} in the network"
        return
    values[name] = value
    if how:
        report.converted[name] = how


def _same_grid(grid: tuple[int, int, int], extra: int, sizes: SourceSizes) -> bool:
    """Return whether a table of the right length is for the network's grid, as far as the file tells."""
    return sizes.known_grid(math.prod(grid), grid) in (None, grid)


def _other_head(own: Mapping[str, Tensor], state: Mapping[str, Tensor], heads: tuple[str, ...]) -> dict[str, str]:
    """Return {name: why} of the file's head when it has another number of classes than the network's."""
    names = [name for name in state if name.startswith(heads) and name in own]
    other = [name for name in names if state[name].shape != own[name].shape]
    if not other or any(state[name].shape[1:] != own[name].shape[1:] for name in other):
        return {}
    classes, wanted = (tensors[other[0]].shape[0] if tensors[other[0]].ndim else 0 for tensors in (state, own))
    return dict.fromkeys(names, f"{classes} classes in the file, {wanted} in the network")


def _refusal(report: LoadReport, smallest_share: float) -> str:
    """Return the sentence that refuses a file."""
    dropped = [f"{name} {why}" for name, why in report.dropped.items()]
    parts = [f"{len(report.matched)} tensors match"]
    for label, names in (
        ("the network misses", report.missing),
        ("the file has besides", report.unexpected),
        ("left out", dropped),
    ):
        if names:
            parts.append(f"{label} {len(names)} ({some(names)})")
    if report.others:
        parts.append(f"it also holds the weights {some(report.others)}, which CHECKPOINT_WEIGHTS chooses")
    return (
        f"{report.path}: only {100 * report.share:.1f} % of the network's parameters outside the head are in this file,"
        f" {100 * smallest_share:.0f} % are needed ({'; '.join(parts)}): check MODEL.ARCH and the sizes"
    )
