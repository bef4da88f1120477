"""A program that shows folders of one user to another, in a mount namespace of its own.

For Noctule as root, whose commands shall be nobody's: inside that namespace what root owns in a
folder is the other user's, who may write it, and on the disk it stays root's (idmapped mounts;
mount_setattr(2), Linux 5.12). It says ``ready`` and waits for the end of its input, so that whoever
started it can take hold of the namespace. It needs the standard library alone.
"""

import ctypes
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442  # the same on every architecture
_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_MS_REC, _MS_PRIVATE, _MS_BIND = 0x4000, 0x40000, 0x1000
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_TREE = 1 | _AT_RECURSIVE | os.O_CLOEXEC  # OPEN_TREE_CLONE
_MOVE_FROM_DESCRIPTOR = 4
_MOUNT_ATTR_IDMAP = 0x100000
_NAMED = 2

_libc = ctypes.CDLL(None, use_errno=True)


def main(order: dict[str, Any]) -> None:
    """Mount what is asked for, and wait.

    Args:
        order: ``user``, who sees it; ``folder``, an empty place of this machine under which
            ``sources`` are shown as ``0``, ``1`` and so on, each ``path`` with its ``owner`` and
            ``group`` on the disk; ``must`` how many of them, the first ones, must be writable.

    Raises:
        OSError: the kernel does not do it.
    """
    user = int(order["user"])
    _done(_libc.unshare(_CLONE_NEWNS), "a mount namespace")
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE, None)
    trees = []
    for number, source in enumerate(order["sources"]):
        path = source["path"].encode()
        tree = _done(_libc.syscall(_OPEN_TREE, _AT_FDCWD, path, _TREE), source["path"])
        try:
            _map(tree, user, source["owner"], source["group"])
        except OSError:
            if number < order["must"]:
                raise
        trees.append((Path(source["path"]), tree))
    _mount("tmpfs", order["folder"], "tmpfs", 0, "mode=755,size=1m")
    for number, (path, tree) in enumerate(trees):
        place = Path(order["folder"]) / str(number)
        place.mkdir() if path.is_dir() else place.touch()
        moved = _libc.syscall(
            _MOVE_MOUNT, tree, b"", _AT_FDCWD, str(place).encode(), _MOVE_FROM_DESCRIPTOR
        )
        _done(moved, str(path))
    _name(user, Path(order["folder"]))
    _say("ready")
    sys.stdin.read()


def _map(tree: int, user: int, owner: int, group: int) -> None:
    """Let what belongs to somebody on the disk belong to the user there."""
    namespace = _users(f"{owner} {user} 1\n", f"{group} {user} 1\n")
    attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_IDMAP, 0, 0, namespace)
    size, flags = ctypes.sizeof(attributes), _AT_EMPTY_PATH | _AT_RECURSIVE
    done = _libc.syscall(_MOUNT_SETATTR, tree, b"", flags, attributes, size)
    _done(done, "an idmapped mount")


def _users(users: str, groups: str) -> int:
    """Return a descriptor of a user namespace with a map of users and one of groups."""
    ready, tells = os.pipe()
    waits, over = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(over)
        os.write(tells, b"0" if _libc.unshare(_CLONE_NEWUSER) == 0 else b"1")
        os.read(waits, 1)
        os._exit(0)
    try:
        if os.read(ready, 1) != b"0":
            raise OSError(1, "a user namespace was refused")
        Path(f"/proc/{child}/uid_map").write_text(users, encoding="ascii")
        Path(f"/proc/{child}/gid_map").write_text(groups, encoding="ascii")
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        for descriptor in (ready, tells, waits, over):
            os.close(descriptor)
        os.waitpid(child, 0)


def _name(user: int, folder: Path) -> None:
    """Give the user a name, without which many programs do not start."""
    for kind, line in (
        ("passwd", f"noctule:x:{user}:{user}:commands of Noctule:/tmp:/bin/sh\n"),
        ("group", f"noctule:x:{user}:\n"),
    ):
        with suppress(OSError):
            there = os.path.realpath(f"/etc/{kind}")
            (folder / kind).write_bytes(Path(there).read_bytes().rstrip() + f"\n{line}".encode())
            _mount(str(folder / kind), there, None, _MS_BIND, None)


def _mount(source: str, place: str, kind: str | None, flags: int, data: str | None) -> None:
    words = [None if word is None else word.encode() for word in (source, place, kind, data)]
    _done(_libc.mount(*words[:3], ctypes.c_ulong(flags), words[3]), place)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _done(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


if __name__ == "__main__" and len(sys.argv) == _NAMED:
    try:
        main(json.loads(sys.argv[1]))
    except OSError as error:
        _say(f"{error.strerror}: {error.filename or 'refused'}")
