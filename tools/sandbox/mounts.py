"""Mounts: what of a workspace a command may write, as one ordered list that is checked.

A mount covers what was mounted below it before. So what is writable comes first, outer before
inner, and what is read-only after that: nothing writable can come to lie on top of it. Whatever
the layout, ``is_writable`` says what the kernel will (bind mounts are recursive; mount(2)).
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path


class MountError(Exception):
    """A workspace cannot be kept as it must; ``str()`` of it says why and what to do."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A path of this machine at the same path inside.

    Args:
        path: absolute, symlinks resolved; it exists.
        writable: whether it may be changed there.
        covered: whether there is nothing in its place.
    """

    path: Path
    writable: bool
    covered: bool = False

    def words(self, source: str | None = None) -> list[str]:
        """Return it as bubblewrap is told.

        Args:
            source: where it is found outside; None is the same path.
        """
        if self.covered:
            return ["--ro-bind", "/dev/null", str(self.path)]
        bind = "--bind" if self.writable else "--ro-bind"
        return [bind, str(self.path) if source is None else source, str(self.path)]


@dataclass(frozen=True, slots=True)
class Repositories:
    """What of git's is kept in a workspace; all of it absolute, symlinks resolved, and there.

    Args:
        pinned: their folders, which are neither replaced nor renamed themselves.
        framed: folders of submodules: nothing new is made in them, while ``pinned`` ones in them
            can be worked in.
        fixed: files and folders that stay as they are.
    """

    pinned: Sequence[Path] = ()
    framed: Sequence[Path] = ()
    fixed: Sequence[Path] = ()


def mounts_of(
    root: Path,
    *,
    writable: bool,
    kept: Iterable[Path] = (),
    repositories: Repositories | None = None,
    covered: Iterable[Path] = (),
) -> list[Mount]:
    """Return the mounts of a workspace in the order in which they are made.

    Args:
        root: the workspace.
        writable: whether any of it is; when not, it is one mount.
        kept: files and folders within that stay as they are. The folders on the way to them stay
            where they are, or one could be renamed with all that is in it.
        repositories: what of git's is kept; None is nothing.
        covered: files within that are not there for a command, whatever else is kept.

    Raises:
        MountError: they do not keep what they must, whatever the reason.
    """
    if not writable:
        return [Mount(root, writable=False)]
    git = repositories or Repositories()
    keep = {path for path in kept if root in path.parents}
    pinned, framed, fixed = (
        {path for path in paths if root in path.parents}
        for paths in (git.pinned, git.framed, git.fixed)
    )
    ways = {above for path in keep for above in path.parents if root in above.parents}
    seats = pinned | framed
    ways = {way for way in ways if not _is_framed(way, seats, framed)}
    first = [
        *(Mount(path, writable=True) for path in (pinned | ways) - framed),
        *(Mount(path, writable=False) for path in framed),
    ]
    last = [Mount(path, writable=False) for path in fixed | keep]
    mounts = [
        Mount(root, writable=True),
        *sorted(first, key=_outer_first),
        *sorted(last, key=_outer_first),
        *(Mount(path, writable=False, covered=True) for path in covered),
    ]
    check(mounts, root, keep, [*framed, *fixed])
    return mounts


def check(
    mounts: Sequence[Mount], root: Path, kept: Iterable[Path], fixed: Iterable[Path] = ()
) -> None:
    """Hold a list against what it is for.

    Raises:
        MountError: something kept could be changed, or moved away, or something fixed changed.
    """
    points = _points(mounts)
    for path in (*kept, *fixed):
        if _may_write(points, path):
            raise MountError(f"{path} could be changed by a command, so none runs here.")
    for path in kept:
        for above in path.parents:
            if root in above.parents and above not in points and _may_write(points, above):
                raise MountError(f"{above} could be moved by a command, so none runs here.")
        if path.is_symlink():
            raise MountError(f"{path} is a link that a command could exchange, so none runs here.")


def _is_framed(path: Path, seats: AbstractSet[Path], framed: AbstractSet[Path]) -> bool:
    """Whether a folder lies where nothing can be made or moved."""
    nearest = next((each for each in (path, *path.parents) if each in seats), None)
    return nearest in framed


def is_writable(mounts: Sequence[Mount], path: Path) -> bool:
    """Return whether what is at a path can be changed: the last mount that covers it decides."""
    return _may_write(_points(mounts), path)


def _points(mounts: Sequence[Mount]) -> dict[Path, tuple[int, bool]]:
    """Return where something is mounted: the place of the last one in the list, and what it says.

    A repository with hundreds in it has thousands of mounts, so each is looked up, not looked for.
    """
    return {mount.path: (place, mount.writable) for place, mount in enumerate(mounts)}


def _may_write(points: Mapping[Path, tuple[int, bool]], path: Path) -> bool:
    covering = [points[each] for each in (path, *path.parents) if each in points]
    return bool(covering) and max(covering)[1]


def _outer_first(mount: Mount) -> tuple[int, str]:
    return len(mount.path.parts), str(mount.path)
