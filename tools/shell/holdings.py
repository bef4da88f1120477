"""Holdings: the memory that processes keep from everybody else, and the disk that nobody sees.

Resident memory that is a process's own is the smaller part. Shared mappings count once for all who
map them; files in memory (``memfd_create``, those of /tmp and /dev/shm) count though nobody maps
them; a deleted file takes its room on the disk for as long as somebody has it open or mapped.

Not found without cgroups: what waits in a socket or a pipe, open files sent through one and closed
included, and a file in memory of which a part is mapped and no descriptor is left.
"""

import os
import re
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_BLOCK = 512  # of st_blocks, whatever the disk has
_KIB = 1024
_OWN_PLACES = ("tmp", "dev/shm")  # of a sandbox; each is a file system in memory
_ANON, _SHARED, _SWAPPED = b"RssAnon", b"RssShmem", b"VmSwap"
_NEVER_SHARED = (b"HugetlbPages", b"VmPTE")  # page tables grow with what is mapped, not with data
_PSS_ANON, _PSS_SHARED, _PSS_SWAPPED = b"Pss_Anon", b"Pss_Shmem", b"SwapPss"
_LEAST_SHARE = 50  # of all memory; then the system's memory killer is about to choose
_MOST_SECONDS = 1.0  # of processor time; a hundred ordinary processes take a fiftieth of it
_MOST_READ = 8 * 1024 * 1024  # some ten thousand mappings
_MAPPED = re.compile(rb"^(\w+)-(\w+) \S+ (\w+) (\w+:\w+) (\d+) .*\(deleted\)$", re.MULTILINE)
_Inode = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Holdings:
    """What some processes hold together.

    Args:
        memory_bytes: that of theirs alone and that of files in memory.
        unlinked_bytes: of the disk, in files that have no name any more.
        complete: whether all was counted; not where it lies in so many pieces that it takes long.
    """

    memory_bytes: int = 0
    unlinked_bytes: int = 0
    complete: bool = True


def held_by(processes: Sequence[Path], root: Path | None, enough: int) -> Holdings:
    """Count what processes hold; some milliseconds for a hundred of them.

    Args:
        processes: their folders in a /proc.
        root: the root folder they see, in a sandbox; None without one.
        enough: up to here memory may be counted too high, where that is quicker.
    """
    over = time.thread_time() + _MOST_SECONDS
    places = _places(root)
    plain = [_fields(process / "status") for process in processes]
    own = sum(each.get(_ANON, 0) + each.get(_SWAPPED, 0) for each in plain)
    beside = sum(each.get(name, 0) for each in plain for name in _NEVER_SHARED)
    shared = sum(each.get(_SHARED, 0) for each in plain)
    in_memory: dict[_Inode, int] = {}
    unlinked: dict[_Inode, int] = {}
    mapped: dict[_Inode, int] = {}
    for process in processes:
        if time.thread_time() > over:
            break
        for file in _deleted(process):
            if file.st_dev not in places:
                kind = in_memory if file.st_dev == _memory_device() else unlinked
                kind[file.st_dev, file.st_ino] = file.st_blocks * _BLOCK
        for inode, size in _mapped_and_deleted(process):
            if inode[0] not in places and inode[0] != _memory_device():
                mapped[inode] = max(size, mapped.get(inode, 0))
    files = beside + sum(in_memory.values()) + sum(places.values())
    memory = own + shared + files
    if memory > enough:
        memory = files
        for process in processes:
            if memory > enough or time.thread_time() > over:
                break
            memory += _share(process, places.keys(), in_memory.keys())
    used = sum({**mapped, **unlinked}.values())
    return Holdings(memory, used, complete=time.thread_time() <= over)


def memory_is_short(told: Path = Path("/proc/meminfo")) -> bool:
    """Whether this machine is about to run out of memory; False where it cannot be told.

    Args:
        told: the file that tells how much there is.
    """
    found = _fields(told)
    total, left = found.get(b"MemTotal"), found.get(b"MemAvailable")
    return total is not None and left is not None and left < total // _LEAST_SHARE


def _places(root: Path | None) -> dict[int, int]:
    """Return how much the sandbox's own file systems in memory hold, by device."""
    found = {}
    for name in _OWN_PLACES if root is not None else ():
        with suppress(OSError):
            path = Path(f"{root}/{name}")
            disk = os.statvfs(path)
            found[path.stat().st_dev] = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
    return found


def _deleted(process: Path) -> Iterator[os.stat_result]:
    """Yield the files without a name that a process has open."""
    with suppress(OSError), os.scandir(process / "fd") as descriptors:
        for each in descriptors:
            with suppress(OSError):
                about = each.stat()
                if about.st_nlink == 0 and stat.S_ISREG(about.st_mode):
                    yield about


def _mapped_and_deleted(process: Path) -> Iterator[tuple[_Inode, int]]:
    """Yield the files without a name that a process has mapped, and how far."""
    with suppress(OSError):
        for begin, end, offset, device, inode in _MAPPED.findall((process / "maps").read_bytes()):
            size = int(end, 16) - int(begin, 16) + int(offset, 16)
            yield (_device(device), int(inode)), size


def _share(process: Path, places: AbstractSet[int], counted: AbstractSet[_Inode]) -> int:
    """Return a process's share of memory, of that which is counted elsewhere nothing."""
    found = _fields(process / "smaps_rollup")
    if not found:  # gone, or its memory is nobody's business
        plain = _fields(process / "status")
        return sum(plain.get(name, 0) for name in (_ANON, _SHARED, _SWAPPED))
    own = found.get(_PSS_ANON, 0) + found.get(_PSS_SWAPPED, 0)
    shared = found.get(_PSS_SHARED, 0)
    if shared and (places or counted):
        shared -= sum(_counted_elsewhere(process, places, counted))
    return own + max(0, shared)


def _counted_elsewhere(
    process: Path, places: AbstractSet[int], counted: AbstractSet[_Inode]
) -> Iterator[int]:
    with suppress(OSError):
        applies = False
        with (process / "smaps").open("rb") as file:
            text = file.read(_MOST_READ)  # what lies beyond counts twice
        for line in text.splitlines():
            name, _, rest = line.partition(b" ")
            if not name.endswith(b":"):
                _, _, device, inode, *_ = rest.split(maxsplit=4)
                where = _device(device)
                applies = where in places or (where, int(inode)) in counted
            elif applies and name == b"Pss:":
                yield int(rest.split()[0]) * _KIB


@cache
def _memory_device() -> int | None:
    """Return the device of files in memory without a name; None where there are none."""
    if not hasattr(os, "memfd_create"):
        return None
    descriptor = os.memfd_create("noctule-device", os.MFD_CLOEXEC)
    try:
        return os.fstat(descriptor).st_dev
    finally:
        os.close(descriptor)


def _device(text: bytes) -> int:
    major, minor = text.split(b":")
    return os.makedev(int(major, 16), int(minor, 16))


def _fields(file: Path) -> Mapping[bytes, int]:
    """Return the sizes a file of /proc tells, in bytes; none when it is gone."""
    try:
        text = file.read_bytes()
    except OSError:
        return {}
    return {name: int(size) * _KIB for name, size in re.findall(rb"(\w+):\s+(\d+) kB", text)}
