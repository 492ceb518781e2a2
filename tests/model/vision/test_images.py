"""Arrays from outside: bounded, typed, never unpickled."""

from __future__ import annotations

import lzma

import numpy as np
import pytest

from xinglin.errors import InputTooLargeError, InvalidInputError, MissingDataError
from xinglin.model.vision.images import hounsfield, read_array, scaled


def save(path, array, **more):
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "wb") as file:
        np.save(file, array, **more)
    return path


@pytest.mark.parametrize("name", ["a.npy", "a.npy.xz"])
def test_round_trip(tmp_path, name):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert np.array_equal(read_array(save(tmp_path / name, array), limit=24), array)


def test_a_small_file_that_unpacks_to_much_is_refused(tmp_path):
    path = save(tmp_path / "bomb.npy.xz", np.zeros(20_000_000, np.uint8))
    assert path.stat().st_size < 10_000
    with pytest.raises(InputTooLargeError, match="bomb"):
        read_array(path, limit=1000)


def test_objects_are_never_unpickled(tmp_path):
    path = save(tmp_path / "evil.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidInputError):
        read_array(path, limit=10_000)


@pytest.mark.parametrize("content", [b"", b"not numpy at all", b"\x93NUMPY\x01\x00"])
def test_other_bytes_are_refused(tmp_path, content):
    for name in ("a.npy", "a.npy.xz"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidInputError, match="expected"):
            read_array(tmp_path / name, limit=100)


def test_truncated_and_wrong_type_and_absent(tmp_path):
    path = save(tmp_path / "a.npy", np.zeros(100, np.uint8))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InvalidInputError):
        read_array(path, limit=100)
    with pytest.raises(InvalidInputError, match="float64"):
        read_array(save(tmp_path / "b.npy", np.zeros(3)), limit=100)
    with pytest.raises(MissingDataError):
        read_array(tmp_path / "c.npy", limit=100)


def test_scale_covers_what_bytes_can_hold():
    assert hounsfield(np.array([0, 88], np.uint8)).tolist() == [-1000, 408]
    assert scaled(np.array([-3000, -1000, -296, 408, 3000])) == pytest.approx([-1, -1, 0, 1, 1])
