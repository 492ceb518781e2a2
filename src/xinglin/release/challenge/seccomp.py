"""A seccomp filter: system calls that an evaluation never needs fail with EPERM (Linux, x86-64 and AArch64).

Denied are sockets, other processes (fork, exec, signals, tracing), opening a file for writing and changing the file
system, and the doors by which the kernel is asked for more. ``clone3`` and ``openat2`` hide their flags in memory, which
a filter cannot read: they fail as unknown, and the C library falls back to ``clone`` and ``openat``. Numbers of the system
calls after the kernel's tables (``arch/x86/entry/syscalls/syscall_64.tbl``, ``include/uapi/asm-generic/unistd.h``).
"""

from __future__ import annotations

import ctypes
import platform
import struct

LOAD, JUMP_EQUAL, JUMP_GREATER_EQUAL, JUMP_SET, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS = 1, 38
NUMBER, ARCHITECTURE, ARGUMENT = 0, 4, 16
"""Offsets in ``struct seccomp_data``; arguments are eight bytes each."""
CLONE_THREAD = 0x00010000
WRITING = 0x1 | 0x2 | 0x40 | 0x200
"""O_WRONLY, O_RDWR, O_CREAT, O_TRUNC: the same on both architectures."""
X32 = 0x40000000

# name: (x86-64, AArch64); -1: there is none.
DENIED = {
    **{
        "socket": (41, 198),
        "connect": (42, 203),
        "bind": (49, 200),
        "listen": (50, 201),
        "accept": (43, 202),
    },
    **{"accept4": (288, 242), "sendto": (44, 206), "sendmsg": (46, 211), "sendmmsg": (307, 269)},
    **{"fork": (57, -1), "vfork": (58, -1), "execve": (59, 221), "execveat": (322, 281)},
    **{"kill": (62, 129), "tkill": (200, 130), "pidfd_send_signal": (424, 424), "pidfd_open": (434, 434)},
    **{"ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271)},
    **{"io_uring_setup": (425, 425), "bpf": (321, 280), "userfaultfd": (323, 282)},
    **{"perf_event_open": (298, 241), "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40)},
    **{"umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_by_handle_at": (304, 265)},
    **{"add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "init_module": (175, 105)},
    **{"finit_module": (313, 273), "kexec_load": (246, 104), "creat": (85, -1), "truncate": (76, 45)},
    **{"ftruncate": (77, 46), "rename": (82, -1), "renameat": (264, 38), "renameat2": (316, 276)},
    **{"mkdir": (83, -1), "mkdirat": (258, 34), "rmdir": (84, -1), "unlink": (87, -1), "unlinkat": (263, 35)},
    **{"link": (86, -1), "linkat": (265, 37), "symlink": (88, -1), "symlinkat": (266, 36)},
    **{"chmod": (90, -1), "fchmod": (91, 52), "fchmodat": (268, 53), "chown": (92, -1), "fchown": (93, 55)},
    **{"lchown": (94, -1), "fchownat": (260, 54), "mknod": (133, -1), "mknodat": (259, 33)},
    **{"setxattr": (188, 5), "memfd_create": (319, 279), "shmget": (29, 194)},
}
UNKNOWN = {"clone3": (435, 435), "openat2": (437, 437)}
CLONE = (56, 220)
OPEN, OPENAT = (2, -1), (257, 56)
AUDIT = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def program(machine: str) -> bytes | None:
    """Return the filter for an architecture as BPF instructions, or ``None`` if none is known."""
    if machine not in AUDIT:
        return None
    column, audit = AUDIT[machine]
    deny, unknown = ERRNO | EPERM, ERRNO | ENOSYS
    code = [
        _step(LOAD, 0, 0, ARCHITECTURE),
        _step(JUMP_EQUAL, 1, 0, audit),
        _step(RETURN, 0, 0, KILL),
        _step(LOAD, 0, 0, NUMBER),
    ]
    if machine == "x86_64":
        code += [_step(JUMP_GREATER_EQUAL, 0, 1, X32), _step(RETURN, 0, 0, deny)]
    for numbers in UNKNOWN.values():
        code += [_step(JUMP_EQUAL, 0, 1, numbers[column]), _step(RETURN, 0, 0, unknown)]
    for numbers in DENIED.values():
        if numbers[column] >= 0:
            code += [_step(JUMP_EQUAL, 0, 1, numbers[column]), _step(RETURN, 0, 0, deny)]
    # A new thread may be made, a new process may not.
    code += [
        _step(JUMP_EQUAL, 0, 4, CLONE[column]),
        _step(LOAD, 0, 0, ARGUMENT),
        _step(JUMP_SET, 1, 0, CLONE_THREAD),
        _step(RETURN, 0, 0, deny),
        _step(RETURN, 0, 0, ALLOW),
    ]
    for numbers, place in ((OPEN, 1), (OPENAT, 2)):
        if numbers[column] >= 0:
            code += [
                _step(JUMP_EQUAL, 0, 4, numbers[column]),
                _step(LOAD, 0, 0, ARGUMENT + 8 * place),
                _step(JUMP_SET, 0, 1, WRITING),
                _step(RETURN, 0, 0, deny),
                _step(RETURN, 0, 0, ALLOW),
            ]
    return b"".join([*code, _step(RETURN, 0, 0, ALLOW)])


def install() -> bool:
    """Put this process, all its threads, under the filter for good; ``False`` where the kernel refuses."""
    code = program(platform.machine())
    if code is None:
        return False
    libc = ctypes.CDLL(None, use_errno=True)

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    buffer = ctypes.create_string_buffer(code, len(code))
    wanted = Program(len(code) // 8, ctypes.addressof(buffer))
    call = 317 if platform.machine() == "x86_64" else 277  # seccomp(2)
    set_filter, all_threads, no_new_privileges = 1, 1, 38
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.syscall(call, set_filter, all_threads, ctypes.byref(wanted)) == 0)


def _step(code: int, true: int, false: int, value: int) -> bytes:
    return struct.pack("HBBI", code, true, false, value)
