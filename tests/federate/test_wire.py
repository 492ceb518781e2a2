from __future__ import annotations

import io
import pickle
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from xinglin.errors import InputTooLargeError, InvalidInputError
from xinglin.federate import wire

flwr = pytest.importorskip("flwr.app")

STATE = {"b": np.arange(3, dtype=np.int64), "a": np.ones((2, 3), np.float32)}
FLOATS = arrays(np.float32, array_shapes(max_dims=3, max_side=4), elements=st.floats(-1e6, 1e6, width=32))


@given(st.dictionaries(st.text(min_size=1, max_size=8), FLOATS, min_size=1, max_size=4))
def test_a_state_survives_the_wire(state: dict[str, Any]) -> None:
    expected = wire.layout(state)
    back = wire.from_record(wire.to_record(state), expected, sender="x")
    assert list(back) == sorted(state)
    assert all(np.array_equal(back[name], state[name]) for name in state)
    assert wire.digest(back) == wire.digest(state)


def test_scalars_and_empty_arrays_survive() -> None:
    state = {"n": np.array(3, np.int64), "e": np.zeros((0, 2), np.float32)}
    back = wire.from_record(wire.to_record(state), wire.layout(state), sender="x")
    assert back["n"] == 3
    assert back["e"].shape == (0, 2)


def _with(name: str, data: bytes, stype: str = "numpy.ndarray") -> Any:
    record = wire.to_record(STATE)
    record[name] = flwr.Array(dtype="float32", shape=(2, 3), stype=stype, data=data)
    return record


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def _lying(header: str, body: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + body


GOOD = _npy(STATE["a"])
BAD = [
    (_npy(np.array([[1, 2, 3], [4, 5, np.nan]], np.float32)), "not finite"),
    (_npy(np.array([[1, 2, 3], [4, 5, np.inf]], np.float32)), "not finite"),
    (_npy(np.ones((3, 2), np.float32)), "shape"),
    (_npy(np.ones((2, 3), np.float64)), "float64"),
    (_npy(np.asfortranarray(np.ones((2, 3), np.float32))), "C order"),
    (_npy(np.ones((2, 3), ">f4")), "C order"),
    (_npy(np.array([{"a": 1}], dtype=object)), "object"),
    (pickle.dumps(STATE["a"]), "NumPy's format"),
    (b"", "NumPy's format"),
    (GOOD[:-1], "another number"),
    (GOOD + b"\0", "another number"),
    (GOOD[:12], "cannot be read"),
    (_lying("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}"), "another number"),
    (_lying("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000)}"), "shape"),
    (_lying("__import__('os').system('true')"), "cannot be read"),
    (_lying("(" * 900), "cannot be read"),
    (_lying(" " * 2000), "too long"),
]


@pytest.mark.parametrize(("data", "says"), BAD)
def test_a_damaged_or_hostile_array_is_refused_by_name(data: bytes, says: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"site-3: a: .*{says}"):
        wire.from_record(_with("a", data), wire.layout(STATE), sender="site-3")


def test_another_serialiser_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="NumPy's format"):
        wire.from_record(_with("a", GOOD, "torch"), wire.layout(STATE), sender="x")


def test_names_must_be_those_expected() -> None:
    record = wire.to_record(STATE)
    with pytest.raises(InvalidInputError, match="'c' is missing"):
        wire.from_record(record, {**wire.layout(STATE), "c": ("float32", ())}, sender="x")
    with pytest.raises(InvalidInputError, match="'b' is not part"):
        wire.from_record(record, {"a": ("float32", (2, 3))}, sender="x")


def test_what_we_send_is_bounded_and_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInputError, match="float64"):
        wire.to_record({"a": np.ones(2)})
    monkeypatch.setattr(wire, "MAX_BYTES", 8)
    with pytest.raises(InputTooLargeError):
        wire.to_record(STATE)


def test_metrics_and_texts_of_strangers_are_tamed() -> None:
    found = wire.metrics({"auc": 0.5, "nan": float("nan"), "text": "x", "list": [1.0], "n": 3})
    assert found == {"auc": 0.5, "n": 3.0}
    assert len(wire.metrics({str(i): i for i in range(500)})) == wire.MAX_METRICS
    assert wire.text("a\x1b[31m\nb" + "c" * 900).startswith("a [31m b")
    assert len(wire.text("c" * 900)) == wire.MAX_TEXT
