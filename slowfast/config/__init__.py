"""Configuration: defaults, files with `_BASE_`, overrides, validation. The only room that knows yacs."""

from slowfast.config.defaults import add_keys, get_cfg
from slowfast.config.load import config_difference, dump_config, flatten, load_config
from slowfast.config.validate import TestSetting, parse_also, several_labels
from slowfast.config.weights import named_weights

__all__ = [
    "TestSetting",
    "add_keys",
    "config_difference",
    "dump_config",
    "flatten",
    "get_cfg",
    "load_config",
    "named_weights",
    "parse_also",
    "several_labels",
]
