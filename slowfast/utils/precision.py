"""The arithmetic in which a trained network is run."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from slowfast.utils.errors import InputError

_DTYPES = {"off": None, "fp16": torch.float16, "bf16": torch.bfloat16}
_BF16 = (8, 0)  # compute capability of the oldest cards that have it


@dataclass(frozen=True)
class Precision:
    """Mixed precision or float32, the latter on GPUs also in TF32.

    Args:
        dtype: torch.float16, torch.bfloat16, or None for float32.
        tf32: whether float32 products on GPUs may use TF32.
    """

    dtype: torch.dtype | None = None
    tf32: bool = False

    @classmethod
    def choose(cls, choice: str, device: torch.device, *, tf32: bool = False, key: str = "TEST") -> "Precision":
        """Return what a value of TEST.MIXED_PRECISION means on a device.

        Args:
            choice: `off`, `fp16`, `bf16`, or `auto`: what the card has, off on the CPU.
            device: where the network runs.
            tf32: allow TF32.
            key: section of the key, for the message.

        Raises:
            InputError: the card has no bfloat16.
        """
        on_gpu = device.type == "cuda"
        has_bf16 = not on_gpu or torch.cuda.get_device_capability(device) >= _BF16
        if choice == "auto":
            choice = "off" if not on_gpu else "bf16" if has_bf16 else "fp16"
        if choice == "bf16" and not has_bf16:
            raise InputError(
                f"{key}.MIXED_PRECISION is bf16, which {torch.cuda.get_device_name(device)} does not have: set fp16"
            )
        return cls(_DTYPES[choice], tf32 and on_gpu)

    @property
    def name(self) -> str:
        """`fp32`, `tf32`, `fp16` or `bf16`."""
        if self.dtype is None:
            return "tf32" if self.tf32 else "fp32"
        return "fp16" if self.dtype is torch.float16 else "bf16"

    @contextlib.contextmanager
    def active(self, device: torch.device) -> Iterator[None]:
        """Run what stands inside in this arithmetic."""
        switches = (torch.backends.cuda.matmul, torch.backends.cudnn) if device.type == "cuda" else ()
        before = [switch.allow_tf32 for switch in switches]
        for switch in switches:
            switch.allow_tf32 = self.tf32
        try:
            with torch.autocast(device.type, dtype=self.dtype or torch.bfloat16, enabled=self.dtype is not None):
                yield
        finally:
            for switch, value in zip(switches, before):
                switch.allow_tf32 = value


FULL = Precision()
