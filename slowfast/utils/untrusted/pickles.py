"""Reads pickles that hold numpy arrays and plain types, without ever calling what a pickle asks for.

Python's own unpickler runs any function that a file names and trusts every size it claims. This reader walks the
opcodes (`pickletools.genops`, protocols 0 to 5), builds values on its own small stack and knows six names only:
numpy's array, dtype and scalar constructors and the way older protocols spell bytes.
"""

import io
import math
import mmap
import pickletools
from collections.abc import Callable
from typing import Any

import numpy as np

from slowfast.utils.errors import InputError

MAX_OPCODES = 4_000_000
MAX_DEPTH = 16
_PLAIN_KINDS = "biufSU"
_MARK = object()

_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_PUSH_ARGUMENT = frozenset(
    "INT LONG BININT BININT1 BININT2 LONG1 LONG4 FLOAT BINFLOAT UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8"
    " BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8".split()
)
_PUSH_TEXT = frozenset({"STRING", "BINSTRING", "SHORT_BINSTRING"})
_GLOBALS = {
    "numpy.core.multiarray._reconstruct": "reconstruct",
    "numpy._core.multiarray._reconstruct": "reconstruct",
    "numpy.core.numeric._frombuffer": "frombuffer",
    "numpy._core.numeric._frombuffer": "frombuffer",
    "numpy.core.multiarray.scalar": "scalar",
    "numpy._core.multiarray.scalar": "scalar",
    "numpy.dtype": "dtype",
    "numpy.ndarray": "ndarray",
    "_codecs.encode": "encode",
    "builtins.bytes": "bytes",
    "__builtin__.bytes": "bytes",
}


class _Refused(Exception):
    """The pickle is damaged or holds something that is not allowed; the text says which."""


class _Global:
    """One of the known names; never a real function."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


class _Array:
    """An array or dtype whose content arrives with a later opcode."""

    def __init__(self) -> None:
        self.value: np.ndarray | None = None


class _Dtype:
    """A dtype of numbers or text of fixed length."""

    def __init__(self, text: Any) -> None:
        if not isinstance(text, str) or len(text) > 12:
            raise _Refused("it describes an array type that is not a plain number or text")
        try:
            self.value = np.dtype(text)
        except (TypeError, ValueError):
            raise _Refused(f"it describes an unknown array type {text!r}") from None
        if self.value.kind not in _PLAIN_KINDS:
            raise _Refused(f"it holds an array of type {self.value.name!r}, not of numbers")

    def set_state(self, state: Any) -> None:
        """Take the byte order; everything else of a plain dtype is in its name."""
        fields = state[2:5] if isinstance(state, tuple) and len(state) >= 5 else ((),)
        if any(field is not None for field in fields) or state[1] not in ("<", ">", "|", "="):
            raise _Refused("it describes an array type that is not a plain number or text")
        self.value = self.value.newbyteorder(state[1])


def _make_array(raw: Any, dtype: Any, shape: Any, fortran: bool) -> np.ndarray:
    if isinstance(raw, str):
        raw = _latin1(raw)
    sizes_ok = isinstance(shape, tuple) and len(shape) <= 8 and all(type(size) is int and size >= 0 for size in shape)
    if not (isinstance(dtype, _Dtype) and isinstance(raw, bytes | bytearray) and sizes_ok):
        raise _Refused("it describes an array in a form that is not known")
    claimed = math.prod(shape) * dtype.value.itemsize
    if claimed != len(raw) or dtype.value.itemsize == 0 or (claimed == 0 and max(shape, default=0) > 2**31):
        raise _Refused(f"it claims an array of shape {shape} ({claimed} bytes) and brings {len(raw)} bytes")
    return np.frombuffer(raw, dtype=dtype.value).reshape(shape, order="F" if fortran else "C")


def _latin1(text: Any) -> bytes:
    try:
        return text.encode("latin1")
    except (AttributeError, UnicodeEncodeError):
        raise _Refused("it spells bytes in an unknown way") from None


class _Machine:
    """The stack machine of one pickle."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self.size = len(data)
        self.source = io.BytesIO(data) if isinstance(data, bytes) else data
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.made_bytes = 0

    def run(self) -> Any:
        """Return the unpickled value."""
        for count, (opcode, argument, _) in enumerate(pickletools.genops(self.source)):
            if count > MAX_OPCODES:
                raise _Refused(f"it has more than {MAX_OPCODES} operations")
            name = opcode.name
            if name in _PUSH_ARGUMENT:
                self.stack.append(argument)
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name]())
            elif name == "STOP":
                return self.pop()
            else:
                self.step(name, argument)
        raise _Refused("it ends too early")

    def step(self, name: str, argument: Any) -> None:
        """Execute one opcode other than a plain push."""
        if name in ("PROTO", "FRAME"):
            return
        if name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.top()
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.top()
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name in _PUSH_TEXT:
            self.stack.append(argument.decode("latin1") if isinstance(argument, bytes) else argument)
        elif name == "MARK":
            self.stack.append(_MARK)
        elif name == "POP":
            self.stack.pop()
        elif name == "POP_MARK":
            self.pop_to_mark()
        elif name == "GLOBAL":
            self.push_global(".".join(argument.split(" ")))
        elif name == "STACK_GLOBAL":
            attribute, module = self.pop(), self.pop()
            self.push_global(f"{module}.{attribute}")
        else:
            self.step_container(name)

    def step_container(self, name: str) -> None:
        """Execute an opcode that builds or fills a container or a known object."""
        if name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            items = [self.pop() for _ in range(int(name[-1]))]
            self.stack.append(tuple(reversed(items)))
        elif name == "TUPLE":
            self.stack.append(tuple(self.pop_to_mark()))
        elif name == "LIST":
            self.stack.append(self.pop_to_mark())
        elif name == "DICT":
            made: dict[Any, Any] = {}
            self.fill(made, self.pop_to_mark())
            self.stack.append(made)
        elif name in ("APPEND", "APPENDS"):
            items = [self.pop()] if name == "APPEND" else self.pop_to_mark()
            if type(self.top()) is not list:
                raise _Refused("it is damaged")
            self.top().extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = [self.pop(), self.pop()][::-1] if name == "SETITEM" else self.pop_to_mark()
            self.fill(self.top(), items)
        elif name == "REDUCE":
            arguments, function = self.pop(), self.pop()
            self.stack.append(self.call(function, arguments))
        elif name == "BUILD":
            self.build(self.pop(), self.top())
        else:
            raise _Refused(f"it uses the operation {name}, which plain data never needs")

    def pop(self) -> Any:
        """Take the topmost value."""
        value = self.stack.pop()
        if value is _MARK:
            raise _Refused("it is damaged")
        return value

    def top(self) -> Any:
        """Return the topmost value and leave it."""
        if self.stack[-1] is _MARK:
            raise _Refused("it is damaged")
        return self.stack[-1]

    def pop_to_mark(self) -> list[Any]:
        """Take everything above the last mark, in order, and the mark."""
        items: list[Any] = []
        while (value := self.stack.pop()) is not _MARK:
            items.append(value)
        return items[::-1]

    def fill(self, target: Any, items: list[Any]) -> None:
        """Put keys and values, in turn, into a dict."""
        keys = items[0::2]
        if type(target) is not dict or len(items) % 2 or not all(type(key) in (str, int) for key in keys):
            raise _Refused("it holds a dict whose keys are not text")
        target.update(zip(keys, items[1::2]))

    def push_global(self, name: str) -> None:
        """Push a known name, refuse any other."""
        if name not in _GLOBALS:
            raise _Refused(f"it asks for {name[:80]!r}")
        self.stack.append(_Global(_GLOBALS[name]))

    def call(self, function: Any, arguments: Any) -> Any:
        """Return what one of the known constructors makes of its arguments."""
        kind = function.kind if isinstance(function, _Global) and isinstance(arguments, tuple) else None
        if kind == "reconstruct":
            return _Array()
        if kind == "dtype" and arguments:
            return _Dtype(arguments[0])
        if kind == "frombuffer" and len(arguments) == 4:
            array = _Array()
            raw, dtype, shape, order = arguments
            array.value = _make_array(raw, dtype, shape, order == "F")
            return array
        if kind == "scalar" and len(arguments) == 2:
            return _make_array(arguments[1], arguments[0], (), False).item()
        if kind == "encode" and len(arguments) == 2 and arguments[1] == "latin1":
            raw = _latin1(arguments[0])
            self.made_bytes += len(raw)
            if self.made_bytes > self.size:
                raise _Refused("it claims more bytes than it has")
            return raw
        if kind == "bytes" and not arguments:
            return b""
        raise _Refused("it calls something in a way that plain data never needs")

    def build(self, state: Any, target: Any) -> None:
        """Give an array its content or a dtype its byte order."""
        if isinstance(target, _Dtype):
            target.set_state(state)
        elif isinstance(target, _Array) and isinstance(state, tuple) and len(state) == 5:
            _, shape, dtype, fortran, raw = state
            target.value = _make_array(raw, dtype, shape, bool(fortran))
        else:
            raise _Refused("it is damaged")


def _finish(value: Any, done: dict[int, Any], depth: int = 0) -> Any:
    """Return `value` with arrays in place of shells; every container is visited once."""
    if depth > MAX_DEPTH:
        raise _Refused("it is nested too deeply")
    if isinstance(value, _Array):
        if value.value is None:
            raise _Refused("it holds an array without content")
        return value.value
    if isinstance(value, _Global | _Dtype):
        raise _Refused("it holds something that is neither an array nor a plain type")
    if not isinstance(value, dict | list | tuple):
        return value
    if id(value) not in done:
        done[id(value)] = None
        if isinstance(value, dict):
            done[id(value)] = {key: _finish(item, done, depth + 1) for key, item in value.items()}
        else:
            done[id(value)] = type(value)(_finish(item, done, depth + 1) for item in value)
    return done[id(value)]


def read_plain_pickle(data: bytes | mmap.mmap, name: str) -> Any:
    """Return the value of a pickle of numpy arrays (numbers, fixed text) and plain Python types.

    Args:
        data: the pickle, protocol 0 to 5; a mapped file is read piece by piece.
        name: how messages call it, usually the path.

    Raises:
        InputError: the pickle is damaged or holds, asks for or claims anything else.
    """
    try:
        machine = _Machine(data)
        return _finish(machine.run(), {})
    except _Refused as reason:
        text = str(reason)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError):
        text = "it is damaged or not a pickle"
    raise InputError(
        f"{name}: refused, because {text}; a prediction file holds only numpy arrays and plain types,"
        " so write it again by testing the model (bash exp_*/MODEL/test.sh)"
    )
