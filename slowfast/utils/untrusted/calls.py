"""What the functions in a pickle of tensors would be called with, found without calling any.

torch's `weights_only` runs constructors on whatever a file hands them: `OrderedDict` on a tensor of 10^12 rows, which
is one number with a stride of 0, never ends. Here the operations build stand-ins, and a call is only let through with
arguments that an honest file uses.
"""

from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from typing import Any

# All that calls may copy (items, characters), and places that a tuple may stand for when references are written out.
_MAX_COPIED = 200_000_000
_MAX_WEIGHT = 10_000_000
_MAX_KEY_WEIGHT = 16
_MAX_DTYPE = 12
_PUSHED = frozenset("BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINSTRING".split())
_NEW = {"NONE": lambda: None, "NEWTRUE": lambda: True, "NEWFALSE": lambda: False, "EMPTY_LIST": list,
        "EMPTY_DICT": dict, "EMPTY_TUPLE": lambda: Tuple(()), "EMPTY_SET": lambda: Made("object")}  # fmt: skip
_TENSORS = frozenset(
    [f"torch._utils._rebuild_{name}" for name in ("tensor", "tensor_v2", "tensor_v3", "qtensor", "parameter",
                                                  "parameter_with_state")]
) | {"torch.nn.parameter.Parameter"}  # fmt: skip
_DICTS = ("collections.OrderedDict", "collections.Counter")
_OF_PLAIN = ("torch.device", "torch.Size", "torch.serialization._get_layout", "builtins.complex", "builtins.set")
_ARRAYS = ("numpy.core.multiarray.", "numpy._core.multiarray.")


class Refused(Exception):
    """A call, or a use of a value, that files of weights never need; the text says which."""


class Name:
    """A function or class that the file names."""

    def __init__(self, module: str, name: str) -> None:
        if (module, name) in NAME_MAPPING:
            module, name = NAME_MAPPING[module, name]
        self.text = f"{IMPORT_MAPPING.get(module, module)}.{name}"


class Made:
    """What a call would return: a `tensor`, a `storage` or another `object`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


class Tuple(tuple):
    """A tuple that knows how many values it stands for when every reference is counted in full."""

    weight: int

    def __new__(cls, items: Any) -> "Tuple":
        """Make one.

        Raises:
            Refused: it stands for too many.
        """
        made = super().__new__(cls, items)
        made.weight = 1 + sum(getattr(item, "weight", 1) for item in made)
        if made.weight > _MAX_WEIGHT:
            raise Refused("it refers to the same values again and again")
        return made


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (int, float, str, bytes))


def _is_key(value: Any) -> bool:
    """Return whether hashing the value is cheap."""
    return getattr(value, "weight", 1) <= _MAX_KEY_WEIGHT


def _are_pairs(items: Any) -> bool:
    """Return whether items are what a dict can be made of."""
    return all(isinstance(item, (list, Tuple)) and len(item) == 2 and _is_key(item[0]) for item in items)


class Walk:
    """The stack machine of one pickle, on stand-ins."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.copied = 0

    def step(self, name: str, argument: Any) -> None:
        """Execute one operation.

        Raises:
            Refused: it does what files of weights never need.
            IndexError, KeyError: the pickle is damaged.
        """
        if name in _PUSHED:
            self.stack.append(argument)
        elif name in _NEW:
            self.stack.append(_NEW[name]())
        elif name == "GLOBAL":
            self.stack.append(Name(*argument.split(" ", 1)))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name == "MARK":
            self.below.append(self.stack)
            self.stack = []
        elif name not in ("PROTO", "STOP"):
            self._build(name)

    def _build(self, name: str) -> None:
        """Execute an operation that takes values from the stack."""
        if name == "POP":
            self.stack.pop()
        elif name == "TUPLE":
            items = Tuple(self._to_mark())
            self.stack.append(items)
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            items = [self.stack.pop() for _ in range(int(name[-1]))]
            self.stack.append(Tuple(reversed(items)))
        elif name in ("APPEND", "APPENDS"):
            items = [self.stack.pop()] if name == "APPEND" else self._to_mark()
            if not isinstance(self.stack[-1], list):
                raise Refused("it appends to something that is no list")
            self.stack[-1].extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = [self.stack.pop(), self.stack.pop()][::-1] if name == "SETITEM" else self._to_mark()
            if not isinstance(self.stack[-1], dict) or not all(map(_is_key, items[0::2])):
                raise Refused("it sets items of something that is no dict, or under keys that are too large")
            self.stack[-1].update((key, value) for key, value in zip(items[0::2], items[1::2]))
        elif name == "BINPERSID":
            self.stack[-1] = Made("storage")
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, function = self.stack.pop(), self.stack.pop()
            self.stack.append(self._call(function, arguments))
        elif name == "BUILD":
            state = self.stack.pop()
            if not (state is None or isinstance(state, (dict, Tuple))) or isinstance(self.stack[-1], Name):
                raise Refused("it builds an object in a way that weights never need")
            self._count(state)
        else:
            raise Refused(f"it is not a checkpoint of torch.save, or damaged (operation {name})")

    def _to_mark(self) -> list[Any]:
        """Take everything above the last mark."""
        items, self.stack = self.stack, self.below.pop()
        return items

    def _count(self, *values: Any) -> None:
        """Add what a call copies."""
        self.copied += 1 + sum(len(value) for value in values if hasattr(value, "__len__"))
        if self.copied > _MAX_COPIED:
            raise Refused("it copies its content again and again")

    def _call(self, function: Any, arguments: Any) -> Any:
        """Return the stand-in for what a call returns.

        Raises:
            Refused: the function, or what it is called with, is not one of an honest file.
        """
        if not isinstance(function, Name) or not isinstance(arguments, Tuple):
            raise Refused("it calls something that is no function")
        name = function.text
        self._count(*arguments)
        if name == "collections.Counter" and not _counts_numbers(arguments):
            raise Refused("it counts something else than numbers")
        if name == "torch._tensor._rebuild_from_type_v2":
            inner, _, inner_arguments, state = arguments
            return self._call(inner, inner_arguments) if state is None or isinstance(state, (dict, Tuple)) else None
        if not _is_sound(name, arguments):
            raise Refused(f"it calls {name} with something that weights never need")
        if name in _DICTS:
            return dict(*arguments)
        return Made("tensor" if name in _TENSORS else "object")


def _may_be_spread(value: Any) -> bool:
    """Return whether a stand-in may have more elements than the file has bytes."""
    return isinstance(value, Made) and value.kind != "object"


def _counts_numbers(arguments: Tuple) -> bool:
    """Return whether a Counter is made of nothing or of a dict of whole numbers."""
    counted = arguments[0] if len(arguments) == 1 else {}
    return len(arguments) < 2 and isinstance(counted, dict) and all(
        type(item) is int for pair in counted.items() for item in pair
    )  # fmt: skip


def _is_sound(name: str, arguments: Tuple) -> bool:
    """Return whether an honest file calls a function with such arguments."""
    if name in _TENSORS:
        return bool(arguments) and isinstance(arguments[0], Made) and not any(map(_may_be_spread, arguments[1:]))
    if name in _DICTS:
        source = arguments[0] if arguments else {}
        return len(arguments) < 2 and (isinstance(source, dict) or (isinstance(source, list) and _are_pairs(source)))
    if name in _OF_PLAIN:
        items = [item for part in arguments for item in (part if isinstance(part, (list, tuple)) else [part])]
        return all(map(_is_plain, items))
    if name == "_codecs.encode":
        return len(arguments) == 2 and isinstance(arguments[0], str) and arguments[1] == "latin1"
    if name == "argparse.Namespace":
        return not arguments
    if name == "numpy.dtype":
        return all(map(_is_plain, arguments)) and len(str(arguments[0])) <= _MAX_DTYPE
    if name.startswith(_ARRAYS) and name.endswith("._reconstruct"):
        return len(arguments) == 3 and arguments[1] == (0,) and isinstance(arguments[0], Name)
    if name.startswith(_ARRAYS) and name.endswith(".scalar"):
        return not any(isinstance(item, (list, dict, tuple)) or _may_be_spread(item) for item in arguments)
    raise Refused(f"it holds a pickled object ({name}) beside tensors, save its state dict alone")
