"""Procedurally rendered people: the clips of the embedded demo and of its pre-training."""
