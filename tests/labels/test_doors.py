"""The doors of the room: a door that bears a module's name would turn into that module at its second opening."""

from __future__ import annotations

import importlib
import pkgutil

from xinglin import labels


def test_no_door_bears_the_name_of_a_module() -> None:
    modules = {module.name for module in pkgutil.iter_modules(labels.__path__)}
    assert len(labels.__all__) >= 5
    assert not modules & set(labels.__all__)


def test_every_door_opens_twice_on_the_same_thing() -> None:
    for name in labels.__all__:
        first = getattr(labels, name)
        importlib.import_module(first.__module__)
        assert getattr(labels, name) is first
