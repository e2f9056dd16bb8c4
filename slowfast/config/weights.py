"""Which weights a configuration begins with."""

from fvcore.common.config import CfgNode

from slowfast.utils.paths import repo_path

_ENDINGS = (".pth", ".pyth", ".pt", ".safetensors")


def named_weights(cfg: CfgNode) -> str:
    """Return the starting weights that a configuration names, as it spells them; empty: random ones.

    They are TRAIN.CHECKPOINT_FILE_PATH, a folder as MODEL.BACKBONE, which is loaded where the network is built, or the
    published file that UNIFORMER / SF .PRETRAIN_NAME stands for: the ending that is there, else the first one.
    """
    if cfg.TRAIN.CHECKPOINT_FILE_PATH:
        return cfg.TRAIN.CHECKPOINT_FILE_PATH
    if cfg.MODEL.ARCH == "huggingface" and cfg.MODEL.BACKBONE and repo_path(cfg.MODEL.BACKBONE).is_dir():
        return cfg.MODEL.BACKBONE
    section = {"uniformer": cfg.UNIFORMER, "sf": cfg.SF}.get(cfg.MODEL.ARCH)
    if section is None or not section.PRETRAIN_NAME:
        return ""
    found = [f"{cfg.MODEL.PRETRAIN_DIR}/{section.PRETRAIN_NAME}{ending}" for ending in _ENDINGS]
    return next((path for path in found if repo_path(path).is_file()), found[0])
