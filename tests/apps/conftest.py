"""The clips and the configuration that the tests of `datasets` use."""

from ..datasets.conftest import cfg, clips, make_clip, root

__all__ = ["cfg", "clips", "make_clip", "root"]
