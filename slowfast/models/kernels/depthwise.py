"""Depthwise 3D convolution for GPUs as an operator of torch, with its gradients.

Legend: B batch, C channels, T frames, H W height and width, S partial sums.
"""

import dataclasses
import functools
import os

import torch
import torch.nn.functional as F
from torch import Tensor

try:
    import triton

    from slowfast.models.kernels import depthwise_triton as programs
except (ImportError, AttributeError) as error:  # AttributeError: so old that it lacks what the programs use
    triton = programs = None
    _REASON = f"Triton is missing or too old ({error})"

Size = tuple[int, int, int]
_WIDEST = 9
_FRAMES = 16  # kept in registers by one program
_LARGEST = 2**31  # values; addresses have 32 bits
_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
_DTYPES = (torch.float16, torch.bfloat16, torch.float32)


@dataclasses.dataclass(frozen=True)
class Plan:
    """How a program is cut.

    Attributes:
        lanes: positions at once; of the weights' gradient: columns.
        rows: the weights' gradient only: rows at once.
        channels: channels at once, a power of two.
        warps: groups of 32 threads.
        pair: the convolution only: a lane makes two neighbouring outputs.
        columns: the weights' gradient only: columns of the kernel in one program.
        programs: the weights' gradient only: programs to aim at.
    """

    lanes: int = 16
    rows: int = 1
    channels: int = 64
    warps: int = 4
    pair: bool = False
    columns: int = 5
    programs: int = 2112


@functools.cache
def problem() -> str:
    """Return why the kernels do not run on this machine's GPU, found by running one, or an empty string."""
    if triton is None:
        return _REASON
    try:
        x_BCTHW = torch.zeros(1, 16, 2, 4, 4, device="cuda").contiguous(memory_format=torch.channels_last_3d)
        convolve(x_BCTHW, torch.zeros(16, 1, 3, 3, 3, device="cuda"), None, (1, 1, 1), (1, 1, 1))
        torch.cuda.synchronize()
    except Exception as error:  # no C compiler, another driver, a card that Triton does not know, ...
        return f"Triton fails: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return ""


def is_supported(x_BCTHW: Tensor, weight: Tensor, stride: Size, padding: Size) -> bool:
    """Return whether the kernels compute this convolution here; the library does where they do not."""
    kernel = tuple(weight.shape[2:])
    frames = x_BCTHW.shape[2]
    return (
        triton is not None
        and (x_BCTHW.is_cuda or _INTERPRETED)
        and weight.shape[:2] == (x_BCTHW.shape[1], 1)
        and x_BCTHW.dtype in _DTYPES
        and weight.dtype in _DTYPES
        and 0 < x_BCTHW.numel() < _LARGEST
        and all(k % 2 and k <= _WIDEST and 0 <= p <= k // 2 for k, p in zip(kernel, padding))
        and all(n + 2 * p >= k for n, k, p in zip(x_BCTHW.shape[2:], kernel, padding))
        and (stride[0] == 1 or frames <= _FRAMES)
    )


def output_size(size: Size, kernel: Size, stride: Size, padding: Size) -> Size:
    """Return (T', H', W') of a convolution of (T, H, W)."""
    return tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, padding))


def channel_block(channels: int) -> int:
    """Return how many channels a program takes: the largest power of two up to 64 that divides them, if it is 16+."""
    block = min(64, channels & -channels)
    return block if block >= 16 else min(64, triton.next_power_of_2(channels))


def convolution_plan(channels: int, kernel: Size, *, spread: bool = False) -> Plan:
    """Return the plan of a convolution, or of the input's gradient of a strided one; the fastest one on an H200."""
    block = channel_block(channels)
    return Plan(lanes=(256 if spread and max(kernel) <= 5 else 512) // block, channels=block)


def weights_plan(channels: int, size: Size, kernel: Size) -> Plan:
    """Return the plan of the weights' gradient of an output (T, H, W); the fastest one on an H200."""
    block, width = channel_block(channels), size[2]
    lanes = 256 // block
    columns = next((c for c in (8, 4, 16) if c <= lanes and width % c == 0), min(lanes, triton.next_power_of_2(width)))
    return Plan(
        lanes=columns, rows=lanes // columns, channels=block, warps=2 if kernel[0] == 3 else 4,
        columns=min(kernel[2], 5 if kernel[0] <= 5 else 3), programs=1056,
    )  # fmt: skip


def _last(x_BCTHW: Tensor) -> Tensor:
    return x_BCTHW.contiguous(memory_format=torch.channels_last_3d)


def _empty(like: Tensor, channels: int, size: Size) -> Tensor:
    """Return (B, C, T, H, W), channels last."""
    shape = (like.shape[0], channels, *size)
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last_3d)


def _pack(weight: Tensor, *, mirrored: bool) -> Tensor:
    """Return the weights (C, 1, KT, KH, KW) as (KH * KW + 1, KT, C) with a row of zeros at the end."""
    weight = weight.flip(2, 3, 4) if mirrored else weight
    channels, _, frames, height, width = weight.shape
    rows = weight.detach().permute(3, 4, 2, 0, 1).reshape(height * width, frames * channels)
    return F.pad(rows.float(), (0, 0, 0, 1)).contiguous()


def _run(x: Tensor, weight: Tensor, bias: Tensor | None, y: Tensor, stride: Size, padding: Size, *, spread, mirrored,
         plan: Plan) -> None:  # fmt: skip
    """Fill y."""
    kernel, size, size_out = tuple(weight.shape[2:]), tuple(x.shape[2:]), tuple(y.shape[2:])
    taps = _pack(weight, mirrored=mirrored)
    whole = max(size[0], size_out[0]) <= _FRAMES
    frames = size_out[0] if whole else _FRAMES
    met = size[0] if whole else (frames - 1) * (1 if spread else stride[0]) + kernel[0]
    reach = 2 if plan.pair and stride[2] == 1 and not spread else 1
    lanes = y.shape[0] * size_out[1] * triton.cdiv(size_out[2], reach)
    grid = (triton.cdiv(lanes, plan.lanes), triton.cdiv(x.shape[1], plan.channels), triton.cdiv(size_out[0], frames))
    programs.convolve[grid](
        x, taps, bias if bias is not None else taps, y, lanes, *size, *size_out, x.shape[1], *kernel, *stride, *padding,
        HAS_BIAS=bias is not None, SPREAD=spread, WHOLE=whole, N=met, BT=frames, R=reach, P=plan.lanes,
        BC=plan.channels, ASM=not _INTERPRETED, num_warps=plan.warps,
    )  # fmt: skip


def convolve(x_BCTHW: Tensor, weight: Tensor, bias: Tensor | None, stride: Size, padding: Size, plan=None) -> Tensor:
    """Return the convolution by the kernels."""
    kernel = tuple(weight.shape[2:])
    size = output_size(tuple(x_BCTHW.shape[2:]), kernel, stride, padding)
    y_BCTHW = _empty(x_BCTHW, x_BCTHW.shape[1], size)
    plan = plan or convolution_plan(x_BCTHW.shape[1], kernel)
    _run(_last(x_BCTHW), weight, bias, y_BCTHW, stride, padding, spread=False, mirrored=False, plan=plan)
    return y_BCTHW


def input_gradient(g_BCTHW: Tensor, weight: Tensor, size: Size, stride: Size, padding: Size, plan=None) -> Tensor:
    """Return the gradient of the input, whose (T, H, W) is given, by the kernels."""
    kernel = tuple(weight.shape[2:])
    grad = _empty(g_BCTHW, g_BCTHW.shape[1], size)
    spread = stride != (1, 1, 1)
    plan = plan or convolution_plan(g_BCTHW.shape[1], kernel, spread=spread)
    if not spread:
        padding = tuple(k - 1 - p for k, p in zip(kernel, padding))
    _run(_last(g_BCTHW), weight, None, grad, stride, padding, spread=spread, mirrored=not spread, plan=plan)
    return grad


def weights_gradient(
    x_BCTHW: Tensor, g_BCTHW: Tensor, kernel: Size, stride: Size, padding: Size, *, bias: bool = True, plan=None
) -> tuple[Tensor, Tensor]:
    """Return the gradients of the weights (C, 1, KT, KH, KW) and of the bias (C,) in float32 by the kernels.

    Every program writes sums of its own, which are added in a fixed order: the result is the same in every run.
    """
    batch, channels, *size = x_BCTHW.shape
    size_out = tuple(g_BCTHW.shape[2:])
    plan = plan or weights_plan(channels, size_out, kernel)
    whole = max(size[0], size_out[0]) <= _FRAMES
    frames = size_out[0] if whole else _FRAMES
    blocks, groups = triton.cdiv(size_out[2], plan.lanes), triton.cdiv(kernel[2], plan.columns)
    rows = triton.cdiv(batch * size_out[1] * triton.cdiv(size_out[0], frames), plan.rows)
    channel_blocks = triton.cdiv(channels, plan.channels)
    chunks = max(1, min(rows, plan.programs // (blocks * kernel[1] * groups * channel_blocks)))
    taps = kernel[0] * kernel[1] * kernel[2]
    parts_SKC = torch.empty(chunks * blocks, taps + 1, channels, dtype=torch.float32, device=x_BCTHW.device)
    programs.weigh[(chunks * blocks, kernel[1] * groups, channel_blocks)](
        _last(x_BCTHW), _last(g_BCTHW), parts_SKC, batch, chunks, *size, *size_out, channels, *kernel, *stride,
        *padding, HAS_BIAS=bias, WHOLE=whole, N=size[0] if whole else (frames - 1) * stride[0] + kernel[0], BT=frames,
        G=plan.columns, PR=plan.rows, PW=plan.lanes, BC=plan.channels, ASM=not _INTERPRETED, num_warps=plan.warps,
    )  # fmt: skip
    sums_KC = parts_SKC.sum(0)
    grad = sums_KC[:taps].view(kernel[1], kernel[2], kernel[0], channels).permute(3, 2, 0, 1).unsqueeze(1)
    return grad, sums_KC[taps]
