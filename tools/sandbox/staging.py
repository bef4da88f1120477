"""A program that shows folders of one user to another, in a mount namespace of its own.

For Noctule as root, whose commands shall be nobody's: inside that namespace what root owns in a
folder is the other user's, who may write it, and on the disk it stays root's (idmapped mounts;
mount_setattr(2), Linux 5.12). It says ``ready`` and waits for the end of its input, so that whoever
started it can take hold of the namespace. It needs the standard library alone,
and little of that: a fresh process waits for it.
"""

import ctypes
import os
import stat
import sys

_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442  # the same on every architecture
_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_MS_REC, _MS_PRIVATE, _MS_BIND = 0x4000, 0x40000, 0x1000
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_TREE = 1 | _AT_RECURSIVE | os.O_CLOEXEC  # OPEN_TREE_CLONE
_MOVE_FROM_DESCRIPTOR = 4
_MOUNT_ATTR_IDMAP = 0x100000
_WORDS = 3  # of a source

_libc = ctypes.CDLL(None, use_errno=True)


def main(user: int, folder: str, *sources: str) -> None:
    """Mount what is asked for, and wait.

    Args:
        user: who sees it.
        folder: an empty place of this machine under which each source is shown as ``0``, ``1``...
        sources: for each its owner and its group on the disk and its path; the first must be one
            that can be shown as the user's, of the others those are that can.

    Raises:
        OSError: the kernel does not do it.
    """
    _done(_libc.unshare(_CLONE_NEWNS), "a mount namespace")
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE, None)
    trees, maps = [], {}
    for place in range(0, len(sources), _WORDS):
        owner, group, path = sources[place : place + _WORDS]
        tree = _done(_libc.syscall(_OPEN_TREE, _AT_FDCWD, path.encode(), _TREE), path)
        if (owner, group) not in maps:
            maps[owner, group] = _users(f"{owner} {user} 1\n", f"{group} {user} 1\n")
        try:
            _map(tree, maps[owner, group])
        except OSError:
            if place == 0:
                raise
        trees.append((path, tree))
    _mount("tmpfs", folder, "tmpfs", 0, "mode=755,size=1m")
    for number, (path, tree) in enumerate(trees):
        place_there = f"{folder}/{number}"
        if stat.S_ISDIR(os.fstat(tree).st_mode):  # its path may be covered by now
            os.mkdir(place_there)  # noqa: PTH102 - pathlib takes as long to load as all of this
        else:
            os.close(os.open(place_there, os.O_CREAT | os.O_CLOEXEC))
        moved = _libc.syscall(
            _MOVE_MOUNT, tree, b"", _AT_FDCWD, place_there.encode(), _MOVE_FROM_DESCRIPTOR
        )
        _done(moved, path)
    _name(user, folder)
    _say("ready")
    sys.stdin.read()


def _map(tree: int, namespace: int) -> None:
    """Let what belongs to somebody on the disk belong to the user there."""
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
        _write(f"/proc/{child}/uid_map", users.encode(), os.O_WRONLY)
        _write(f"/proc/{child}/gid_map", groups.encode(), os.O_WRONLY)
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        for descriptor in (ready, tells, waits, over):
            os.close(descriptor)
        os.waitpid(child, 0)


def _name(user: int, folder: str) -> None:
    """Give the user a name, without which many programs do not start."""
    for kind, line in (
        ("passwd", f"noctule:x:{user}:{user}:commands of Noctule:/tmp:/bin/sh\n"),
        ("group", f"noctule:x:{user}:\n"),
    ):
        try:
            there = os.path.realpath(f"/etc/{kind}")
            with open(there, "rb") as file:  # noqa: PTH123 - likewise
                named = file.read().rstrip() + f"\n{line}".encode()
            _write(f"{folder}/{kind}", named, os.O_WRONLY | os.O_CREAT)
            _mount(f"{folder}/{kind}", there, None, _MS_BIND, None)
        except OSError:
            continue  # there is no such file; then nobody looks for a name


def _write(path: str, content: bytes, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


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


def _run(words: list[str]) -> None:
    main(int(words[0]), *words[1:])


if __name__ == "__main__" and len(sys.argv) > _WORDS:
    try:
        _run(sys.argv[1:])
    except OSError as error:
        _say(f"{error.strerror}: {error.filename or 'refused'}")
