"""Triton programs of the depthwise 3D convolution on channels-last memory.

A program keeps all frames of a few positions and channels as sums in registers. It walks over the kernel's rows and
columns; each value that it loads meets every tap in time, so that a 5x5x5 kernel reads its input 25 times, not 125.

Legend: P positions (lanes) of a program, BC its channels, BT its frames; T H W the size read, TO HO WO the size written
or, for the weights, of the output's gradient; K, S, A: kernel, stride and padding of an axis.
"""

import triton
import triton.language as tl


@triton.jit
def _float(value, ASM: tl.constexpr):
    """Return float32; with ASM in two instructions for a pair of bfloat16, where the compiler makes three."""
    if ASM and value.dtype == tl.bfloat16:
        result = tl.inline_asm_elementwise(
            "shl.b32 $0, $2, 16; and.b32 $1, $2, 0xffff0000;", "=r,=r,r", [value], tl.float32, True, 2
        )
    else:
        result = value.to(tl.float32)
    return result


@triton.jit
def _load_taps(w, row_P, ch, mask, C: tl.constexpr, KT: tl.constexpr, ASM: tl.constexpr):
    """Return the weights (P, BC) of all taps in time of a kernel row and column per lane."""
    taps = ()
    for kt in tl.static_range(KT):
        at = row_P[:, None] * (KT * C) + (kt * C) + ch[None, :]
        taps = taps + (_float(tl.load(w + at, mask=mask, other=0.0), ASM),)
    return taps


@triton.jit
def _meet(total, value, others, at: tl.constexpr, COUNT: tl.constexpr):
    """Return total + value * others[at], or the total where there is no such other one."""
    result = total
    if at >= 0 and at < COUNT:
        result = total + value * others[at]
    return result


@triton.jit
def _add_column(
    sums, x, w, row_P, inside_P, column_P, kh, kw, ch, mask_c, frame0,
    T: tl.constexpr, H: tl.constexpr, W: tl.constexpr, C: tl.constexpr, KT: tl.constexpr, KH: tl.constexpr,
    KW: tl.constexpr, ST: tl.constexpr, SW: tl.constexpr, AT: tl.constexpr, AW: tl.constexpr, SPREAD: tl.constexpr,
    WHOLE: tl.constexpr, N: tl.constexpr, BT: tl.constexpr, R: tl.constexpr, ASM: tl.constexpr, USE: tl.constexpr,
):  # fmt: skip
    """Return the sums after a row `kh` and a column `kw` of the kernel.

    A lane outside of the input reads its nearest value there, with weights of zero: cheaper than a masked load. With
    R = 2 a column that is read is the kernel's `kw` to a lane's first output and `kw - 1` to its second. USE: 0 both
    outputs, 1 the first only, 2 the second only.
    """
    if SPREAD:
        iw = column_P + AW - kw
        inside_P = inside_P & (iw >= 0) & (iw % SW == 0) & (iw < W * SW)
        iw = iw // SW
    else:
        iw = column_P * SW + kw - AW
        inside_P = inside_P & (iw >= 0) & (iw < W)
    iw = tl.minimum(tl.maximum(iw, 0), W - 1)
    x_at = x + (row_P + iw)[:, None] * C + ch[None, :]
    x_mask = mask_c & inside_P[:, None] if SPREAD else mask_c
    taps, later = (), ()
    if USE != 2:
        taps = _load_taps(w, tl.where(inside_P, kh * KW + kw, KH * KW), ch, mask_c, C, KT, ASM)
    if R == 2 and USE != 1:
        later = _load_taps(w, tl.where(inside_P, kh * KW + kw - 1, KH * KW), ch, mask_c, C, KT, ASM)
    for i in tl.static_range(N):
        if WHOLE:
            value = _float(tl.load(x_at + i * (H * W * C), mask=x_mask, other=0.0), ASM)
        else:
            frame = frame0 + i
            inside = (frame >= 0) & (frame < T)
            value = _float(tl.load(x_at + frame * (H * W * C), mask=x_mask & inside, other=0.0), ASM)
        new = ()
        for o in tl.static_range(BT):
            if SPREAD:
                new = new + (_meet(sums[o * R], value, taps, o + AT - i * ST, KT),)
            else:
                new = new + (_meet(sums[o * R], value, taps, i + AT - o * ST, 0 if USE == 2 else KT),)
            if R == 2:
                new = new + (_meet(sums[o * R + 1], value, later, i + AT - o, 0 if USE == 1 else KT),)
        sums = new
    return sums


@triton.jit
def convolve(
    x, w, bias, y, lanes,
    T: tl.constexpr, H: tl.constexpr, W: tl.constexpr, TO: tl.constexpr, HO: tl.constexpr, WO: tl.constexpr,
    C: tl.constexpr, KT: tl.constexpr, KH: tl.constexpr, KW: tl.constexpr,
    ST: tl.constexpr, SH: tl.constexpr, SW: tl.constexpr, AT: tl.constexpr, AH: tl.constexpr, AW: tl.constexpr,
    HAS_BIAS: tl.constexpr, SPREAD: tl.constexpr, WHOLE: tl.constexpr, N: tl.constexpr,
    BT: tl.constexpr, R: tl.constexpr, P: tl.constexpr, BC: tl.constexpr, ASM: tl.constexpr,
):  # fmt: skip
    """Convolve x (B, T, H, W, C) into y (B, TO, HO, WO, C) with w (KH * KW + 1, KT, C), whose last row is zero.

    lanes: B * HO * cdiv(WO, R); a lane makes R neighbouring outputs of a row. SPREAD: x is the gradient of a strided
    convolution's output, y that of its input. WHOLE: all frames fit one program, N of them are read.
    """
    ch = tl.program_id(1) * BC + tl.arange(0, BC)
    mask_c = ((ch < C) | (C % BC == 0))[None, :]
    p = tl.program_id(0) * P + tl.arange(0, P)
    p_in = tl.minimum(p, lanes - 1)
    WR: tl.constexpr = (WO + R - 1) // R
    column = (p_in % WR) * R
    oh = (p_in // WR) % HO
    b = p_in // (WR * HO)
    t0 = tl.program_id(2) * BT
    AE: tl.constexpr = AT if WHOLE else (KT - 1 if SPREAD else 0)
    frame0 = t0 + AT - (KT - 1) if SPREAD else t0 * ST - AT
    sums = ()
    for _ in tl.static_range(BT * R):
        sums = sums + (tl.zeros((P, BC), tl.float32),)
    for kh in range(KH):
        ih = oh + AH - kh if SPREAD else oh * SH + kh - AH
        inside = (ih >= 0) & (ih < (H * SH if SPREAD else H))
        if SPREAD:
            inside = inside & (ih % SH == 0)
            ih = ih // SH
        row = (b * (T * H) + tl.minimum(tl.maximum(ih, 0), H - 1)) * W
        if R == 2:
            sums = _add_column(
                sums, x, w, row, inside, column, kh, 0, ch, mask_c, frame0,
                T, H, W, C, KT, KH, KW, ST, SW, AE, AW, SPREAD, WHOLE, N, BT, R, ASM, 1,
            )  # fmt: skip
        for kw in range(R - 1, KW):
            sums = _add_column(
                sums, x, w, row, inside, column, kh, kw, ch, mask_c, frame0,
                T, H, W, C, KT, KH, KW, ST, SW, AE, AW, SPREAD, WHOLE, N, BT, R, ASM, 0,
            )  # fmt: skip
        if R == 2:
            sums = _add_column(
                sums, x, w, row, inside, column, kh, KW, ch, mask_c, frame0,
                T, H, W, C, KT, KH, KW, ST, SW, AE, AW, SPREAD, WHOLE, N, BT, R, ASM, 2,
            )  # fmt: skip
    extra = tl.zeros((1, BC), tl.float32)
    if HAS_BIAS:
        extra = tl.load(bias + ch, mask=ch < C, other=0.0).to(tl.float32)[None, :]
    y_at = ((b * TO + t0) * HO + oh) * WO + column
    for o in tl.static_range(BT):
        for r in tl.static_range(R):
            mask = ((p < lanes) & (column + r < WO))[:, None] & mask_c & (t0 + o < TO)
            value = (sums[o * R + r] + extra).to(y.dtype.element_ty)
            tl.store(y + (y_at + o * (HO * WO) + r)[:, None] * C + ch[None, :], value, mask=mask)


@triton.jit
def _add_rows(
    sums, x_at, g_at, g_mask, x_mask, frame0, t0,
    T: tl.constexpr, TO: tl.constexpr, FX: tl.constexpr, FG: tl.constexpr, KT: tl.constexpr, ST: tl.constexpr,
    AT: tl.constexpr, HAS_BIAS: tl.constexpr, WHOLE: tl.constexpr, N: tl.constexpr, BT: tl.constexpr, G: tl.constexpr,
    ASM: tl.constexpr,
):  # fmt: skip
    """Return the sums (G columns times KT frames of the kernel, and the bias) after N frames of x meet BT of g."""
    values = ()
    for i in tl.static_range(N):
        for o in tl.static_range(BT):
            if i == o * ST - AT or (i == 0 and o * ST < AT):
                mask = g_mask if WHOLE else g_mask & (t0 + o < TO)
                value = _float(tl.load(g_at + o * FG, mask=mask, other=0.0), ASM)
                values = values + (value,)
            if HAS_BIAS and (i == o * ST - AT or (i == 0 and o * ST < AT)):
                sums = sums[: G * KT] + (sums[G * KT] + values[o],)
        for j in tl.static_range(G):
            if WHOLE:
                value = _float(tl.load(x_at[j] + i * FX, mask=x_mask, other=0.0), ASM)
            else:
                inside = (frame0 + i >= 0) & (frame0 + i < T)
                value = _float(tl.load(x_at[j] + (frame0 + i) * FX, mask=x_mask & inside, other=0.0), ASM)
            new = ()
            for kt in tl.static_range(KT):
                total = sums[j * KT + kt]
                new = new + (_meet(total, value, values, (i + AT - kt) // ST if (i + AT - kt) % ST == 0 else -1, BT),)
            sums = sums[: j * KT] + new + sums[(j + 1) * KT :]
    return sums


@triton.jit
def weigh(
    x, g, parts, batch, chunks,
    T: tl.constexpr, H: tl.constexpr, W: tl.constexpr, TO: tl.constexpr, HO: tl.constexpr, WO: tl.constexpr,
    C: tl.constexpr, KT: tl.constexpr, KH: tl.constexpr, KW: tl.constexpr,
    ST: tl.constexpr, SH: tl.constexpr, SW: tl.constexpr, AT: tl.constexpr, AH: tl.constexpr, AW: tl.constexpr,
    HAS_BIAS: tl.constexpr, WHOLE: tl.constexpr, N: tl.constexpr, BT: tl.constexpr, G: tl.constexpr, PR: tl.constexpr,
    PW: tl.constexpr, BC: tl.constexpr, ASM: tl.constexpr,
):  # fmt: skip
    """Write partial gradients of the weights, and of the bias, to parts (S, KH * KW * KT + 1, C).

    A program takes one row of the kernel, G of its columns, and a chunk of the rows of PW columns of x (B, T, H, W, C)
    and g (B, TO, HO, WO, C), PR rows at a time. Lanes keep their column; sums of outer ones are dropped at the end.
    """
    GROUPS: tl.constexpr = (KW + G - 1) // G
    BLOCKS: tl.constexpr = (WO + PW - 1) // PW
    TB: tl.constexpr = (TO + BT - 1) // BT
    part = tl.program_id(0)
    kh = tl.program_id(1) // GROUPS
    kw0 = (tl.program_id(1) % GROUPS) * G
    ch = tl.program_id(2) * BC + tl.arange(0, BC)
    mask_c = ((ch < C) | (C % BC == 0))[None, :]
    lane = tl.arange(0, PR * PW)
    ow = (part % BLOCKS) * PW + lane % PW
    inside_w = ow < WO
    first = tl.maximum(AH - kh + SH - 1, 0) // SH
    rows_h = tl.minimum(HO, tl.maximum(H - 1 + AH - kh + SH, 0) // SH) - first
    rows = batch * TB * rows_h
    per = tl.cdiv(tl.cdiv(rows, PR), chunks) * PR
    begin = (part // BLOCKS) * per
    AE: tl.constexpr = AT if WHOLE else 0
    sums = ()
    for _ in tl.static_range(G * KT + 1):
        sums = sums + (tl.zeros((PR * PW, BC), tl.float32),)
    for r in range(begin, tl.minimum(rows, begin + per), PR):
        row = tl.minimum(r + lane // PW, rows - 1)
        inside_r = (r + lane // PW < rows)[:, None]
        oh = first + row % rows_h
        t0 = ((row // rows_h) % TB) * BT
        b = row // (rows_h * TB)
        g_at = g + (((b * TO + t0) * HO + oh) * WO + tl.minimum(ow, WO - 1))[:, None] * C + ch[None, :]
        x_row = (b * (T * H) + oh * SH + kh - AH) * W
        x_at = ()
        for j in tl.static_range(G):
            iw = tl.minimum(tl.maximum(ow * SW + kw0 + j - AW, 0), W - 1)
            x_at = x_at + (x + (x_row + iw)[:, None] * C + ch[None, :],)
        sums = _add_rows(
            sums, x_at, g_at, mask_c & inside_r if PR > 1 else mask_c, mask_c, (t0 * ST - AT)[:, None], t0[:, None],
            T, TO, H * W * C, HO * WO * C, KT, ST, AE, HAS_BIAS, WHOLE, N, BT, G, ASM,
        )  # fmt: skip
    TAPS: tl.constexpr = KT * KH * KW
    out = parts + part * ((TAPS + 1) * C) + ch
    for j in tl.static_range(G):
        iw = ow * SW + kw0 + j - AW
        keep = (inside_w & (iw >= 0) & (iw < W))[:, None]
        for kt in tl.static_range(KT):
            total = tl.sum(tl.where(keep, sums[j * KT + kt], 0.0), axis=0)
            tl.store(out + ((kh * KW + kw0 + j) * KT + kt) * C, total, mask=(ch < C) & (kw0 + j < KW))
    if HAS_BIAS:
        total = tl.sum(tl.where(inside_w[:, None], sums[G * KT], 0.0), axis=0)
        tl.store(out + TAPS * C, total, mask=(ch < C) & (kh == AH) & (kw0 == 0))
