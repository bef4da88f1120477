"""Layouts of workspaces at random, and what the kernel makes of bubblewrap's words for them.

The model knows nothing of ``tools/sandbox/mounts.py``: it reads the words that bubblewrap is told
and does what mount(2), rename(2) and bubblewrap's manual say. A path may be written where the
topmost mount that covers it may; it may be moved, deleted or replaced where the folder it lies in
may be written and it is no mount point itself (EBUSY); a folder with a mount point in it may be
moved.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

_NAMES = ("a", "b", "c d", "-e", "f\u00e9", "g'\"$x", "h\\i")
_DEEPEST = 4
_ONE_PATH = frozenset({"--tmpfs", "--remount-ro", "--proc", "--dev", "--dir", "--mqueue"})


@dataclass(frozen=True, slots=True)
class Layout:
    """What lies in a workspace, and what of it is special; all relative to its root.

    Args:
        folders: all of them, outer before inner; each holds a file ``file``.
        kept: folders and files that stay as they are.
        repositories: folders with a ``.git`` in them.
        bare: folders that are repositories themselves.
    """

    folders: tuple[Path, ...]
    kept: tuple[Path, ...]
    repositories: tuple[Path, ...]
    bare: tuple[Path, ...]


def random_layout(chance: Random) -> Layout:
    """Return a layout in which kept things and repositories lie in each other in every order."""
    folders: list[Path] = []
    for _ in range(chance.randint(2, 8)):
        start = chance.choice(folders) if folders and chance.random() < 0.6 else Path()
        depth = chance.randint(1, max(1, _DEEPEST - len(start.parts)))
        folders.append(start.joinpath(*chance.choices(_NAMES, k=depth)))
    every = sorted({above for one in folders for above in (one, *one.parents)} - {Path()})
    pick = [*every, *(one / "file" for one in every)]
    return Layout(
        folders=tuple(every),
        kept=tuple(chance.sample(pick, min(len(pick), chance.randint(1, 4)))),
        repositories=tuple(chance.sample(every, min(len(every), chance.randint(0, 2)))),
        bare=tuple(chance.sample(every, min(len(every), chance.randint(0, 1)))),
    )


def layouts(seed: int | None, count: int) -> Iterator[Layout]:
    """Yield so many, the same for the same seed; new ones for None."""
    chance = Random(seed)
    for _ in range(count):
        yield random_layout(chance)


def build(layout: Layout, root: Path) -> None:
    """Make it on the disk."""
    for folder in layout.folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / "file").write_text("mine")
    for place in (*(one / ".git" for one in layout.repositories), *layout.bare):
        for name in ("objects", "refs", "hooks"):
            (root / place / name).mkdir(parents=True, exist_ok=True)
        (root / place / "HEAD").write_text("ref: refs/heads/main\n")
        (root / place / "config").write_text("[core]\n")


@dataclass
class MountTable:
    """What is mounted, as bubblewrap's words say: the later covers the earlier."""

    mounts: dict[str, bool] = field(default_factory=dict)

    @classmethod
    def of(cls, words: Sequence[str]) -> "MountTable":
        """Return what a command line of bubblewrap mounts.

        Args:
            words: what runs it may stand before it; what it runs inside is not looked at.
        """
        table = cls()
        at = next((at for at, word in enumerate(words) if word.endswith("/bwrap")), 0)
        while at < len(words) and words[at] != "--":
            word = words[at]
            if word in ("--bind", "--ro-bind", "--dev-bind"):
                table.mount(Path(words[at + 2]), writable=word != "--ro-bind")
                at += 3
            elif word == "--remount-ro":
                table.remount(Path(words[at + 1]))
                at += 2
            elif word in _ONE_PATH:
                table.mount(Path(words[at + 1]), writable=True)
                at += 2
            else:
                at += 1
        return table

    def mount(self, path: Path, *, writable: bool) -> None:
        """Put something there: it hides what was mounted there and below."""
        below = f"{path}/"
        self.mounts = {at: may for at, may in self.mounts.items() if not at.startswith(below)}
        self.mounts[str(path)] = writable

    def remount(self, path: Path) -> None:
        """Make one mount read-only, not those below it."""
        if str(path) in self.mounts:
            self.mounts[str(path)] = False

    def writable(self, path: Path) -> bool:
        """Whether what lies at a path may be written."""
        at = str(path)
        while at not in self.mounts and at not in ("", "/"):
            at = at.rpartition("/")[0]
        return self.mounts.get(at, False)

    def movable(self, path: Path) -> bool:
        """Whether it may be renamed, deleted or exchanged for something else."""
        return str(path) not in self.mounts and self.writable(path.parent)


def breaches(table: MountTable, root: Path, kept: Path) -> list[str]:
    """Return how something that is kept could be changed, or reached by its name no more."""
    found = [f"write {kept}"] if table.writable(kept) else []
    below = f"{kept}/"
    found += [f"write {at}" for at, may in table.mounts.items() if may and at.startswith(below)]
    ways = [one for one in (kept, *kept.parents) if root in one.parents]
    return found + [f"move {one}" for one in ways if table.movable(one)]
