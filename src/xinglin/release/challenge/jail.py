"""The barriers around an evaluation, put up by the process itself before it touches a model.

Each is tried on its own, and the list of those in force is part of the answer: where a kernel refuses one, it is named
as missing and never assumed. In the order of their strength: a seccomp filter; Landlock (files: libraries and the model
may be read, nothing written but the null device); an empty network namespace; limits of CPU time, memory, file size and
open files; Python's own sockets closed.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import socket
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

SECCOMP, LANDLOCK, NAMESPACE, LIMITS, PYTHON = (
    "seccomp",
    "landlock",
    "network namespace",
    "resource limits",
    "python sockets",
)
STRONG = frozenset((SECCOMP, NAMESPACE))
"""One of them must be in force before a stranger's model is opened."""
OPEN_FILES = 256
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_NULL = Path("/dev/null")
"""May be written: dill opens it for that while torch imports it, and nothing stays there."""
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""Landlock ABI -> number of file rights that it knows."""
_CREATE, _ADD, _RESTRICT = 444, 445, 446
"""System calls, the same on all architectures."""


def leave_network() -> list[str]:
    """Move to a network namespace without any interface; to be called before there is a second thread."""
    if sys.platform != "linux":
        return []
    libc = ctypes.CDLL(None, use_errno=True)
    for flags in (_CLONE_NEWUSER | _CLONE_NEWNET, _CLONE_NEWNET):
        if libc.unshare(flags) == 0:
            return [NAMESPACE]
    return []


def limit(cpu_seconds: int, memory_mib: int) -> list[str]:
    """Limit CPU time, address space, file size (no byte), open files and core dumps."""
    memory = memory_mib << 20
    for what, most in (
        (resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1)),
        (resource.RLIMIT_AS, (memory, memory)),
        (resource.RLIMIT_FSIZE, (0, 0)),
        (resource.RLIMIT_CORE, (0, 0)),
        (resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES)),
    ):
        hard = resource.getrlimit(what)[1]
        fits = most if hard == resource.RLIM_INFINITY else (min(most[0], hard), min(most[1], hard))
        resource.setrlimit(what, fits)
    return [LIMITS]


def close_files(readable: Iterable[Path]) -> list[str]:
    """Let files be read below the given places alone, and written nowhere; before there is a second thread."""
    return [LANDLOCK] if sys.platform == "linux" and _landlock(readable) else []


def lock() -> list[str]:
    """Close processes, sockets and writing for good, in all threads; what was imported before stays usable.

    Returns:
        The barriers that are in force.
    """
    from xinglin.release.challenge import seccomp

    found = [SECCOMP] if sys.platform == "linux" and seccomp.install() else []

    def refused(*_arguments: object, **_named: object) -> None:
        raise PermissionError("an evaluation has no network")

    for name in ("socket", "create_connection", "socketpair", "fromfd"):
        setattr(socket, name, refused)
    return [*found, PYTHON]


def libraries() -> list[Path]:
    """Return what Python and its libraries read while they run."""
    places = [*sys.path, sys.prefix, sys.base_prefix, "/usr", "/lib", "/lib64", "/proc/self", "/proc/cpuinfo"]
    places += ["/sys/devices/system/cpu", "/proc/meminfo", "/dev/urandom", "/dev/null", "/etc/ld.so.cache"]
    found = {Path(place).resolve() for place in places if place}
    return sorted(path for path in found if path.exists())


def _landlock(readable: Iterable[Path]) -> bool:
    """Whether the kernel took the rules: reading below the given places, nothing else."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE, None, ctypes.c_size_t(0), 1)
    # A thread that runs already would stay outside: then the barrier is not claimed.
    if version < 1 or platform.system() != "Linux" or len(os.listdir("/proc/self/task")) > 1:
        return False
    handled = (1 << _FILE_RIGHTS.get(min(version, 5), 13)) - 1
    network = 3 if version >= 4 else 0
    rules = ctypes.create_string_buffer(struct.pack("QQ", handled, network))
    size = 16 if version >= 4 else 8
    table = libc.syscall(_CREATE, rules, ctypes.c_size_t(size), 0)
    if table < 0:
        return False
    try:
        for path in readable:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            rights = _READ_FILE | (_READ_DIR if path.is_dir() else _WRITE_FILE if path == _NULL else 0)
            rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, place))
            added = libc.syscall(_ADD, table, 1, rule, 0)
            os.close(place)
            if added != 0:
                return False
        if libc.prctl(38, 1, 0, 0, 0) != 0:
            return False
        return bool(libc.syscall(_RESTRICT, table, 0) == 0)
    finally:
        os.close(table)
