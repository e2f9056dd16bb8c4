"""The one exception family for bad input: a sentence with what, where and the fix."""


class InputError(Exception):
    """Bad input (file, row, key) described in one sentence; tools print it and exit with status 2.

    What a decoding process raised arrives with that process's traceback in its text, of which the sentence is kept.

    Args:
        sentence: what, where and the fix.
    """

    def __init__(self, sentence: object = "") -> None:
        text = str(sentence)
        kind = f"{type(self).__module__}.{type(self).__qualname__}: "
        if "\nOriginal Traceback (most recent call last):\n" in text and f"\n{kind}" in text:
            sentence = text.rpartition(f"\n{kind}")[2].rstrip()
        super().__init__(sentence)


class ConfigError(InputError):
    """One or more wrong keys or values of a configuration, all reported together."""


class LockedError(InputError):
    """The output folder is in use by another run."""


class MemoryLimitError(InputError):
    """The work does not fit into the memory of this machine; the sentence names the settings that help."""
