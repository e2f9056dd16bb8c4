"""The one exception family for bad input: a sentence with what, where and the fix."""


class InputError(Exception):
    """Bad input (file, row, key) described in one sentence; tools print it and exit with status 2."""


class ConfigError(InputError):
    """One or more wrong keys or values of a configuration, all reported together."""


class LockedError(InputError):
    """The output folder is in use by another run."""


class MemoryLimitError(InputError):
    """The work does not fit into the memory of this machine; the sentence names the settings that help."""
