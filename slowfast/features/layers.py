"""What a chosen layer of a network gives, in place of the pooled features.

Legend: B windows, N tokens, D width.
"""

import difflib
from typing import Any

from torch import Tensor, nn

from slowfast.utils.errors import InputError


class Layer:
    """Keeps what a layer gave in the last forward pass of its network.

    Args:
        model: the network.
        name: of the layer, as in `model.named_modules()`.
        pool: `mean` over all tokens (times, places), `cls`: the first one, `all`: every one of them.

    Raises:
        InputError: the network has no such layer; names that are near are given.
    """

    def __init__(self, model: nn.Module, name: str, pool: str = "mean") -> None:
        modules = dict(model.named_modules())
        if name not in modules or not name:
            near = difflib.get_close_matches(name, modules, n=4, cutoff=0.0)
            raise InputError(f"--layer {name!r}: {type(model).__name__} has no such layer; near: {', '.join(near)}")
        self.name, self.pool, self.module = name, pool, modules[name]
        self._given: Any = None
        self.module.register_forward_hook(self._keep)

    def _keep(self, _module: nn.Module, _inputs: Any, output: Any) -> None:
        """Keep an output."""
        self._given = output

    def take(self, count: int) -> Tensor:
        """Return (B, D), with `all` (B, N, D), of the last pass, which had `count` windows.

        Raises:
            InputError: the layer was not called, or gives something else.
        """
        given, self._given = self._given, None
        given = given[0] if isinstance(given, (tuple, list)) else given
        if not isinstance(given, Tensor) or given.ndim < 2 or len(given) % count:
            what = f"a tensor of shape {tuple(given.shape)}" if isinstance(given, Tensor) else type(given).__name__
            raise InputError(
                f"--layer {self.name}: it gives {what} for {count} windows, tokens are needed: take another"
            )
        if given.ndim == 2:
            return given.unflatten(0, (count, -1)).mean(1) if self.pool != "all" else given.unflatten(0, (count, -1))
        tokens_RND = self._tokens(given)
        if self.pool == "cls":  # of a network on single frames one for each of them
            return tokens_RND[:, 0].unflatten(0, (count, -1)).mean(1)
        tokens_BND = tokens_RND.unflatten(0, (count, -1)).flatten(1, 2)
        return tokens_BND.mean(1) if self.pool == "mean" else tokens_BND

    def _tokens(self, given: Tensor) -> Tensor:
        """Return (R, N, D) of tokens (R, N, D), maps (R, D, T, H, W) or channels-last maps (R, T, H, W, D)."""
        if given.ndim == 3:
            return given
        widths = [parameter.shape[0] for parameter in self.module.parameters() if parameter.ndim == 1]
        last = given.shape[-1] in widths[-1:] and given.shape[1] not in widths[-1:]
        same = given.shape[-1] == given.shape[1]
        norm = any(isinstance(module, nn.LayerNorm) for module in self.module.modules())
        return given.flatten(1, -2) if last or (same and norm) else given.flatten(2).transpose(1, 2)


def features_of(model: nn.Module, clips_BCTHW: Tensor, layer: Layer | None) -> tuple[Tensor, Tensor]:
    """Return features (B, D) or (B, N, D) and logits (B, K) of one pass."""
    features_BD = model.forward_features(clips_BCTHW)
    logits_BK = model.forward_head(features_BD)
    return (features_BD if layer is None else layer.take(len(clips_BCTHW))), logits_BK
