"""Kernels for GPUs, written in Triton, each with the library's operation to fall back to."""
