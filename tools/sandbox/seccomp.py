"""Seccomp: which system calls a command in the sandbox is refused, as a program for the kernel.

Namespaces hide files, processes and the network; what has no namespace (keyrings, vsock, io_uring)
is refused here, and so is what could leave something behind that is more than a file (setuid bits)
or fill memory that no process holds. A refusal is an error a program can handle, never a kill. The
program is classic BPF over ``struct seccomp_data`` (seccomp(2), linux/filter.h), little-endian.
"""

import errno
import fcntl
import os
import struct
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

ARCHITECTURES: Mapping[str, int] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""Machines there is a filter for, by AUDIT_ARCH (linux/audit.h)."""

_X86_64, _AARCH64 = 0, 1  # places in the table
_NEWEST = 462  # mseal, Linux 6.10; what came later nobody has looked at, and x32 has a bit above

_FORBIDDEN: Mapping[str, tuple[int | None, int | None]] = {
    # keys of the person's session
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    # looking into the kernel, into other processes, and at what is handled in place of it
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "process_madvise": (440, 440), "pidfd_getfd": (438, 438), "syslog": (103, 116),
    "lookup_dcookie": (212, 18), "fanotify_init": (300, 262), "open_by_handle_at": (304, 265),
    # mounts, namespaces, modules, the machine itself
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "setns": (308, 268),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "swapon": (167, 224), "swapoff": (168, 225),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "acct": (163, 89), "reboot": (169, 142),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "iopl": (172, None),
    "ioperm": (173, None), "modify_ldt": (154, None),
}  # fmt: skip
"""Refused with EPERM, by name: the number on x86_64 and on aarch64; None where there is none."""

_UNKNOWN: Mapping[str, tuple[int | None, int | None]] = {
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "memfd_secret": (447, 447), "msgget": (68, 186),
    # Their mode lies in memory, where a filter cannot look; programs fall back on openat.
    "openat2": (437, 437),
}  # fmt: skip
"""As if the kernel did not have them (ENOSYS), which programs are written to expect."""

_SET_ID_BITS = 0o6000
_CREATES = os.O_CREAT | 0o20000000  # __O_TMPFILE, which os.O_TMPFILE holds with O_DIRECTORY
_FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK
_TYPED_FOR_OTHERS = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: input of a terminal
_SHARED_BYTES = 4096  # System V memory outlives whoever made it; POSIX memory lies in /dev/shm
_SEMAPHORES = 32

_LOAD, _EQUAL, _GREATER, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16

_Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, constant


@dataclass(frozen=True, slots=True)
class _Checked:
    """A call that is refused for some arguments.

    Args:
        numbers: on x86_64 and on aarch64; None where there is none.
        body: what is asked once the number fits; it returns in every case.
    """

    numbers: tuple[int | None, int | None]
    body: tuple[_Instruction, ...]


def refusals(machine: str) -> dict[int, tuple[str, int]]:
    """Return what is refused whatever its arguments: name and errno, by number.

    Args:
        machine: a key of ARCHITECTURES.
    """
    place = _X86_64 if machine == "x86_64" else _AARCH64
    found = {}
    for table, why in ((_FORBIDDEN, errno.EPERM), (_UNKNOWN, errno.ENOSYS)):
        for name, numbers in table.items():
            if (number := numbers[place]) is not None:
                found[number] = (name, why)
    return found


@cache
def program_for(machine: str) -> bytes | None:
    """Return the filter for a machine; None when there is none for it.

    Args:
        machine: as ``os.uname`` calls it.
    """
    architecture = ARCHITECTURES.get(machine)
    if architecture is None:
        return None
    place = _X86_64 if machine == "x86_64" else _AARCH64
    program: list[_Instruction] = [
        _load(_ARCH_AT),
        (_EQUAL, 1, 0, architecture),
        _error(errno.ENOSYS),  # 32-bit calls have other numbers
        _load(_NUMBER_AT),
        (_GREATER, 0, 1, _NEWEST),
        _error(errno.ENOSYS),
    ]
    for number, (_, why) in refusals(machine).items():
        program += [(_EQUAL, 0, 1, number), _error(why)]
    for checked in _checked():
        if (number_here := checked.numbers[place]) is not None:
            program += [(_EQUAL, 0, len(checked.body), number_here), *checked.body]
    program.append(_allow())
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)


def filter_file() -> str | None:
    """Return a path from which programs of this user read the filter; None when there is none.

    Each that opens it reads from its beginning, which one descriptor for all would not allow.
    """
    descriptor = _sealed(os.uname().machine) if sys.platform == "linux" else None
    return None if descriptor is None else f"/proc/{os.getpid()}/fd/{descriptor}"


@cache
def _sealed(machine: str) -> int | None:
    """Return a file in memory that nobody can change, for as long as this process lives."""
    program = program_for(machine)
    if program is None:
        return None
    descriptor = os.memfd_create("noctule-seccomp", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(descriptor, program)
    seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


def _checked() -> Iterable[_Checked]:
    """Yield what is refused for some arguments, which stand in registers."""
    modes = {(90, None): 1, (91, 52): 1, (268, 53): 2, (452, 452): 2}  # chmod and its kin
    modes |= {(83, None): 1, (258, 34): 2, (85, None): 1, (133, None): 1, (259, 33): 2}
    for numbers, argument in modes.items():  # mkdir, mkdirat, creat, mknod, mknodat
        yield _Checked(numbers, _unless_any_bit(argument, _SET_ID_BITS))
    for numbers, flags in {(2, None): 1, (257, 56): 2}.items():  # open, openat
        kept = _unless_any_bit(flags + 1, _SET_ID_BITS)
        makes = (_load(_argument(flags)), (_ANY_BIT, 1, 0, _CREATES), _allow())
        yield _Checked(numbers, (*makes, *kept))
    for numbers in ((41, 198), (53, 199)):  # socket, socketpair
        families = [_load(_argument(0))]
        for family in _FAMILIES:
            families += [(_EQUAL, 0, 1, family), _allow()]
        yield _Checked(numbers, (*families, _error(errno.EAFNOSUPPORT)))
    typed = [_load(_argument(1))]
    for request in _TYPED_FOR_OTHERS:
        typed += [(_EQUAL, 0, 1, request), _error(errno.EPERM)]
    yield _Checked((16, 29), (*typed, _allow()))  # ioctl
    yield _Checked((64, 190), _at_most(1, _SEMAPHORES))  # semget
    upper = (_load(_argument(1) + 4), (_EQUAL, 1, 0, 0), _error(errno.EPERM))
    yield _Checked((29, 194), (*upper, *_at_most(1, _SHARED_BYTES)))  # shmget


def _unless_any_bit(argument: int, bits: int) -> tuple[_Instruction, ...]:
    load = _load(_argument(argument))
    return (load, (_ANY_BIT, 0, 1, bits), _error(errno.EPERM), _allow())


def _at_most(argument: int, most: int) -> tuple[_Instruction, ...]:
    load = _load(_argument(argument))
    return (load, (_GREATER, 0, 1, most), _error(errno.EPERM), _allow())


def _argument(place: int) -> int:
    """Return where the lower half of an argument lies, which is all of an int."""
    return _ARGUMENTS_AT + 8 * place


def _load(offset: int) -> _Instruction:
    return (_LOAD, 0, 0, offset)


def _error(number: int) -> _Instruction:
    return (_RETURN, 0, 0, _ERROR | number)


def _allow() -> _Instruction:
    return (_RETURN, 0, 0, _ALLOW)
