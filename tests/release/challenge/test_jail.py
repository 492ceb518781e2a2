"""The barriers, tried from within: what a model that is code after all would do."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from xinglin.release.challenge import jail
from xinglin.release.challenge.confined import Finished, environment, python, run_confined
from xinglin.release.challenge.seccomp import program

PREAMBLE = """
import os, socket, sys, subprocess, threading, time, ctypes
from pathlib import Path
from xinglin.release.challenge import jail
barriers = jail.leave_network() + jail.limit(2, 1024)
barriers += jail.close_files(jail.libraries()) + jail.lock()
"""
FULL = {jail.NAMESPACE, jail.LIMITS, jail.LANDLOCK, jail.SECCOMP, jail.PYTHON}


def hostile(code: str, wall: float = 10.0, preamble: str = PREAMBLE) -> Finished:
    return run_confined(python("-c", preamble + code), b"", wall)


def test_which_barriers_this_kernel_offers_is_told() -> None:
    told = hostile("print(*barriers, sep='|')").output.decode().strip().split("|")
    assert jail.LIMITS in told
    assert jail.PYTHON in told
    assert set(told) <= FULL
    assert jail.STRONG & set(told), f"this kernel offers no strong barrier: {told}"


@pytest.mark.parametrize(
    "act",
    [
        pytest.param("os.fork()", id="fork"),
        pytest.param("subprocess.run(['/bin/true'], check=True)", id="exec"),
        pytest.param("os.kill(os.getppid(), 9)", id="kill the parent"),
        pytest.param("open('/tmp/xinglin-escape', 'w')", id="write a file"),
        pytest.param("os.mkdir('/tmp/xinglin-escape')", id="make a folder"),
        pytest.param("os.unlink('/etc/hostname')", id="delete a file"),
        pytest.param("os.open(os.environ['HOME'], os.O_TMPFILE | os.O_RDWR)", id="a file without a name"),
        pytest.param("open('/etc/passwd').read()", id="read what is no library"),
        pytest.param("socket.socket()", id="a socket of Python"),
        pytest.param("import _socket; _socket.socket()", id="a socket below Python"),
        pytest.param("os.memfd_create('x')", id="a file in memory"),
    ],
)
def test_what_an_evaluation_never_needs_is_refused(act: str) -> None:
    assert not Path("/tmp/xinglin-escape").exists()
    ended = hostile(f"""
try:
    {act}
except OSError as error:
    print('refused', type(error).__name__)
else:
    print('done')
""")
    assert ended.output.startswith(b"refused"), (ended.output, ended.said)
    assert not Path("/tmp/xinglin-escape").exists()


def test_each_network_barrier_holds_alone() -> None:
    """A socket to a listener on this machine: refused by the filter, unreachable from the namespace."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"""
import _socket
try:
    one = _socket.socket(); one.settimeout(2); one.connect(('127.0.0.1', {port}))
    print('reached')
except OSError as error:
    print('refused', error.errno)
"""
        plain = hostile(code, preamble="")
        assert plain.output.startswith(b"reached"), plain.said
        only = "from xinglin.release.challenge import jail, seccomp\n"
        namespace = hostile(
            code,
            preamble=only
            + "print(jail.leave_network(), file=sys.stderr)\n".replace("sys", "__import__('sys')"),
        )
        if jail.NAMESPACE in namespace.said:
            assert namespace.output.startswith(b"refused"), namespace.output
        filtered = hostile(code, preamble=only + "print(seccomp.install(), file=__import__('sys').stderr)\n")
        if "True" in filtered.said:
            assert filtered.output == b"refused 1\n"


def test_threads_still_work() -> None:
    ended = hostile("t = threading.Thread(target=print, args=('ran',)); t.start(); t.join()")
    assert ended.output == b"ran\n", ended.said


def test_memory_cpu_and_wall_time_end() -> None:
    memory = hostile("x = bytearray(2 << 30)")
    assert memory.status != 0
    assert "MemoryError" in memory.said
    spinning = hostile("while True: pass", wall=120.0, preamble=PREAMBLE.replace("limit(2,", "limit(1,"))
    assert spinning.status == -24
    sleeping = hostile("time.sleep(60)", wall=1.0)
    assert sleeping.why == "it ran longer than 1 seconds"


def test_a_silent_child_that_closed_its_streams_is_killed_too() -> None:
    ended = hostile("os.close(1); os.close(2); time.sleep(60)", wall=1.0)
    assert ended.why is not None
    assert ended.seconds < 8


def test_endless_output_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    from xinglin.release.challenge import confined

    monkeypatch.setattr(confined, "MAX_OUTPUT", 1 << 20)
    ended = hostile("while True: print('x' * 100000)")
    assert ended.why == "it wrote more than 1048576 bytes"


def test_children_die_with_the_group() -> None:
    """Without the barriers a child can fork: killing the group at the end leaves none behind."""
    code = "import os, time\nif os.fork() == 0:\n    time.sleep(60)\nprint(os.getpgid(0), flush=True)\nos._exit(0)\n"
    ended = hostile(code, wall=3.0, preamble="")
    group = int(ended.output.split()[0])
    for _ in range(50):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("a grandchild is alive")


def test_the_child_sees_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XINGLIN_DATABASE_URL", "postgresql://secret@host/db")
    assert "XINGLIN_DATABASE_URL" not in environment()
    assert b"secret" not in hostile("print(dict(os.environ))").output


def test_filters_are_whole_programs() -> None:
    for machine in ("x86_64", "aarch64"):
        code = program(machine)
        assert code is not None
        assert len(code) % 8 == 0
        assert len(code) // 8 < 256  # jumps are eight bits
    assert program("riscv64") is None
