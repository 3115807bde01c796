"""Code of others that must not reach a network: it runs in a thread that cannot open sockets.

Some libraries report how they are used, from native threads and without a switch to turn it off. On Linux a seccomp
filter (seccomp(2)) makes ``socket`` fail with EACCES in one thread and in all threads that it starts, for as long as
they live, and nowhere else in the process.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, TypeVar

T = TypeVar("T")

PR_SET_NO_NEW_PRIVS: Final = 38
SECCOMP_SET_MODE_FILTER: Final = 1
SECCOMP_FILTER_FLAG_SPEC_ALLOW: Final = 4
"""Leaves the processor's speculation as it is: older kernels would slow the thread down otherwise."""
SECCOMP_RET_ERRNO: Final = 0x00050000
SECCOMP_RET_ALLOW: Final = 0x7FFF0000
NR_OFFSET, ARCH_OFFSET = 0, 4
"""Where struct seccomp_data holds the number of the system call and the architecture."""
LOAD_WORD: Final = 0x20
JUMP_IF_EQUAL: Final = 0x15
RETURN: Final = 0x06


class _SystemCalls(NamedTuple):
    audit_architecture: int
    seccomp: int
    socket: int


SYSTEM_CALLS: Final = {
    "x86_64": _SystemCalls(audit_architecture=0xC000003E, seccomp=317, socket=41),
    "aarch64": _SystemCalls(audit_architecture=0xC00000B7, seccomp=277, socket=198),
}
"""By ``platform.machine()``: the kernel's numbers."""


def run_offline(work: Callable[[], T], *, on_refusal: Callable[[str], None]) -> T:
    """The result of ``work``, done in a new thread that can open no socket, nor can any thread that it starts.

    Where the system cannot forbid it, ``on_refusal`` gets the reason and ``work`` is done all the same. Raises what
    ``work`` raises.
    """

    def forbid_then_work() -> T:
        try:
            forbid_sockets()
        except OSError as error:
            on_refusal(error.strerror or str(error))
        return work()

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="offline") as executor:
        return executor.submit(forbid_then_work).result()


def forbid_sockets() -> None:
    """Let no socket be opened any more by this thread and by those that it will start; there is no way back.

    Raises ``OSError`` where the system has no such filter.
    """
    calls = SYSTEM_CALLS.get(platform.machine())
    if sys.platform != "linux" or calls is None:
        raise OSError(errno.ENOSYS, f"there is no filter for {sys.platform} on {platform.machine()}")
    instructions = _filter_without_sockets(calls)
    program = ctypes.create_string_buffer(instructions, len(instructions))
    # struct sock_fprog: the number of instructions of eight bytes, padding, a pointer.
    described = struct.pack("@HP", len(instructions) // 8, ctypes.addressof(program))
    libc = ctypes.CDLL(None, use_errno=True)
    filter_arguments = (calls.seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW)
    if libc.prctl(*map(ctypes.c_long, (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))) or libc.syscall(
        *map(ctypes.c_long, filter_arguments), described
    ):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _filter_without_sockets(calls: _SystemCalls) -> bytes:
    """A classic BPF program: EACCES for ``socket``, and every other call as usual."""
    program = (
        (LOAD_WORD, 0, 0, ARCH_OFFSET),
        (JUMP_IF_EQUAL, 0, 3, calls.audit_architecture),
        (LOAD_WORD, 0, 0, NR_OFFSET),
        (JUMP_IF_EQUAL, 0, 1, calls.socket),
        (RETURN, 0, 0, SECCOMP_RET_ERRNO | errno.EACCES),
        (RETURN, 0, 0, SECCOMP_RET_ALLOW),
    )
    return b"".join(struct.pack("@HBBI", *instruction) for instruction in program)
