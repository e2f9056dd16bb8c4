import io
import os
import pickle
import struct
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slowfast.utils.errors import InputError
from slowfast.utils.untrusted.pickles import read_plain_pickle

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
ARRAYS = [
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(10)[::2],
    np.array([1.5, np.nan], dtype=">f8"),
    np.array(["a", "é", "0.mp4"]),
    np.array([True, False]),
    np.zeros((0, 3), dtype=np.int64),
    np.float32(2.5),
]


@settings(max_examples=60, deadline=None)
@given(value=PLAIN, protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_values_come_back(value, protocol):
    assert read_plain_pickle(pickle.dumps(value, protocol=protocol), "file") == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_arrays_come_back(array, protocol):
    found = read_plain_pickle(pickle.dumps({"x": array, "again": [array]}, protocol=protocol), "file")
    np.testing.assert_array_equal(found["x"], array)
    np.testing.assert_array_equal(found["again"][0], array)
    assert np.asarray(found["x"]).dtype.kind == array.dtype.kind


@pytest.mark.parametrize("package", [b"numpy.core", b"numpy._core"])
def test_names_of_old_and_new_numpy(package):
    data = pickle.dumps(np.arange(3.0), protocol=2)
    renamed = data.replace(b"numpy._core", package).replace(b"numpy.core", package)
    np.testing.assert_array_equal(read_plain_pickle(renamed, "file"), np.arange(3.0))


def refused(data: bytes) -> str:
    start = time.perf_counter()
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as error:
            read_plain_pickle(data, "file.pkl")
        assert tracemalloc.get_traced_memory()[1] < 50_000_000 + 100 * len(data)
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - start < 20
    text = str(error.value)
    assert text.startswith("file.pkl: refused, because ") and "\n" not in text
    return text


class Calls:
    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("function", [os.system, eval, exec, open, __import__, getattr, np.load, bytearray])
def test_calls_are_refused(function, protocol):
    evil = {"video_preds": Calls(function, "touch pwned")}
    assert "asks for" in refused(pickle.dumps(evil, protocol=protocol))


def test_disguised_calls_are_refused():
    assert "asks for" in refused(b"cnumpy.core.multiarray\n_reconstruct.__globals__\n(tR.")
    assert "asks for" in refused(b"\x80\x04\x8c\x05numpy\x8c\x0cndarray.dump\x93.")
    assert "operation" in refused(b"(S'x'\ni__main__\nX\n.")
    assert "operation" in refused(b"\x80\x02}}\x81.")
    assert "operation" in refused(b"Pid\n.")
    assert "operation" in refused(b"\x80\x02\x82\x01.")


@pytest.mark.parametrize(
    "array",
    [
        np.array([{"a": 1}, None], dtype=object),
        np.zeros(2, dtype=[("a", "f4"), ("b", "O")]),
        np.zeros(2, dtype="M8[s]"),
        np.zeros(2, dtype=complex),
        np.zeros(2, dtype="V4"),
    ],
    ids=lambda array: str(array.dtype),
)
def test_other_arrays_are_refused(array):
    refused(pickle.dumps(array))


def claim(data: bytes, rows: bytes) -> bytes:
    """Replace the row count (3) of a pickled (3, 2) array."""
    assert b"K\x03K\x02\x86" in data
    return data.replace(b"K\x03K\x02\x86", rows + b"K\x02\x86")


@pytest.mark.parametrize("rows", [2**30, -1, 4, 0])
def test_false_sizes_are_refused(rows):
    data = pickle.dumps(np.ones((3, 2), "f4"), protocol=4)
    refused(claim(data, b"J" + struct.pack("<i", rows)))


HUGE = {
    "bytes of 8 EiB": b"\x80\x04\x8e" + struct.pack("<Q", 2**63 - 1) + b"x.",
    "bytes of 2 GiB": b"\x80\x04B" + struct.pack("<I", 2**31) + b"x.",
    "text of 8 EiB": b"\x80\x04\x8d" + struct.pack("<Q", 2**63 - 1) + b"x.",
    "bytearray of 8 EiB": b"\x80\x05\x96" + struct.pack("<Q", 2**63 - 1) + b"x.",
    "long of 2 GiB": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"x.",
    "long text": b"L" + b"9" * 100_000 + b"L\n.",
    "unknown memo": b"\x80\x02h\x07.",
    "empty stack": b"\x80\x020.",
    "no stop": b"\x80\x02}",
    "nothing": b"",
    "text": b"name,label\n",
    "append to text": b"\x80\x02X\x01\x00\x00\x00aK\x01a.",
    "mark as value": b"\x80\x02(.",
    "key that is a tuple": b"\x80\x02})K\x01s.",
}


@pytest.mark.parametrize("name", HUGE)
def test_damage_and_huge_claims_are_refused_quickly(name):
    refused(HUGE[name])


def test_memo_index_costs_nothing():
    assert read_plain_pickle(b"\x80\x02K\x01r\xff\xff\xff\xff.", "file") == 1


def test_many_operations_and_deep_nesting(monkeypatch):
    deep = b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b"."
    assert "nested" in refused(deep)
    doubling = b"".join(b"\x94h" + bytes([depth]) + b"\x86" for depth in range(200))
    assert "nested" in refused(b"\x80\x04K\x01" + doubling + b".")
    monkeypatch.setattr("slowfast.utils.untrusted.pickles.MAX_OPCODES", 1000)
    assert "operations" in refused(b"\x80\x02" + b"}" * 1100 + b".")


def test_shared_containers_are_visited_once():
    doubling = b"".join(b"\x94]\x94(" + (b"h" + bytes([2 * depth])) * 200 + b"e" for depth in range(12))
    start = time.perf_counter()
    read_plain_pickle(b"\x80\x04K\x01" + doubling + b".", "file")
    assert time.perf_counter() - start < 5


def test_repeated_conversion_does_not_grow():
    text = "x" * 200_000
    stream = io.BytesIO()
    stream.write(b"\x80\x04]\x94(c_codecs\nencode\n\x94X" + struct.pack("<I", len(text)) + text.encode() + b"\x94")
    stream.write(b"X\x06\x00\x00\x00latin1\x940")
    for _ in range(1000):
        stream.write(b"h\x01h\x02h\x03\x86R")
    stream.write(b"e.")
    assert "refused" in refused(stream.getvalue())


@settings(max_examples=150, deadline=None)
@given(cut=st.integers(0, 400), flips=st.lists(st.tuples(st.integers(0, 399), st.integers(0, 255)), max_size=6))
def test_damaged_files_never_do_more_than_refuse(cut, flips):
    good = {"video_preds": np.ones((3, 2), "f4"), "video_labels": np.arange(3), "video_names": ["a", "b", "c"]}
    data = bytearray(pickle.dumps(good, protocol=2))
    for place, value in flips:
        data[place % len(data)] = value
    try:
        read_plain_pickle(bytes(data[: max(1, len(data) - cut)]), "file")
    except InputError as error:
        assert str(error).startswith("file: refused")
