"""What a configuration chooses by name: networks, training methods, adaptations, optimizers."""

import difflib
from collections.abc import Callable
from typing import Generic, TypeVar

from slowfast.utils.errors import InputError

T = TypeVar("T")


class Registry(Generic[T]):
    """Named choices of one configuration key; a file adds its own with `@REGISTRY.register("name")`.

    Args:
        key: the configuration key that names the choice, for messages.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self._choices: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that adds a class or function under a name.

        Raises:
            InputError: another one has the name.
        """

        def add(choice: T) -> T:
            if name in self._choices:
                raise InputError(f"{self.key} {name!r} is registered already; give yours another name")
            self._choices[name] = choice
            return choice

        return add

    def __getitem__(self, name: str) -> T:
        """Return the choice of that name.

        Raises:
            InputError: there is none; the nearest name is given.
        """
        if name not in self._choices:
            raise InputError(self.refusal(name))
        return self._choices[name]

    def __contains__(self, name: object) -> bool:
        return name in self._choices

    def names(self) -> tuple[str, ...]:
        """Return all names in the order of registration."""
        return tuple(self._choices)

    def refusal(self, name: str) -> str:
        """Return the sentence about a name that is not there."""
        near = difflib.get_close_matches(str(name), self._choices, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        known = ", ".join(repr(choice) for choice in self._choices)
        return f"{self.key} is {name!r}, one of {known} is needed{hint}; --plugin FILE.py adds own ones"
