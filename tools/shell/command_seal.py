"""What a yes to a command line is bound to: its words, and the files it names as they are now.

No shell is run to find out. Every word that could name a file is tried, in the workspace's root
and in every folder the line names, so that rather a file too much is covered than one too little.
What a line makes of variables it sets itself, of other commands' output, and what the files it
names call or read in turn is not known, and the question says so.
"""

import ast
import glob
import hashlib
import os
import re
import shlex
import stat
from collections.abc import Iterator, Sequence
from itertools import islice, product
from pathlib import Path

from noctule.core.sessions.grants import FILE_PART, TOO_MUCH, Seal, digest_of

_MOST_WORDS = 5000
_MOST_MATCHES = 1000
_MOST_PATTERNS = 50
_MOST_FOLDERS = 8
_MOST_FILES = 500
_MOST_READ_BYTES = 64 * 1024 * 1024
_LONGEST_PATH = 4096
_DEEPEST = 2
_MOST_BRACES = 64

_RUN = re.compile(r"[^\s'\"\\;|&()<>`$=:,@{}]+")
_QUOTING = re.compile(r"\\\n|\\(?=.)|\$?['\"]")
_SPLIT = re.compile(r"[=:,@]")
_OUTPUT = re.compile(r"\d{0,3}(?:&>>?|>[>|&]?)\s*([^\s;|&()<>]+)")
"""Where a command's output goes: what is in that file is replaced and not read."""
_KNOWN = re.compile(r"\$(?:(HOME|PWD)\b|\{(HOME|PWD)\})")
_BEHIND = re.compile(r"(?:\$\w+|\$\{[^{}\s]*\}|~[+-])/([^\s'\"\\;|&()<>]+)")
"""What stands behind a variable that is a folder: ``$OLDPWD/build.sh``."""
_SEGMENT = re.compile(r"[^;|&()<>\n]+")
_COMPILERS = re.compile(
    r"(?:\S*/)?(?:[\w.]+-)*(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+|rustc|tcc)(?:-[\d.]+)?"
)
_TARGET = re.compile(r"(?<!\S)-o\s*(\S+)")
_BRACES = re.compile(r"\{([^{}\s]*,[^{}\s]*)\}")
_FLAG = re.compile(r"-\w(.+)")
_MODULE = re.compile(r"(?:-m|\b(?:import|from)\b)\s*([A-Za-z_][\w.]*)")
_PROGRAM = re.compile(r"[A-Za-z][\w+-]*")

_HOOKS = (
    "applypatch-msg", "commit-msg", "fsmonitor-watchman", "post-applypatch", "post-checkout",
    "post-commit", "post-index-change", "post-merge", "post-rewrite", "pre-applypatch",
    "pre-auto-gc", "pre-commit", "pre-merge-commit", "pre-push", "pre-rebase", "prepare-commit-msg",
    "reference-transaction",
)  # fmt: skip
"""What git runs by itself on the side that calls it (githooks(5), 2.47)."""
_COMPOSE = tuple(
    f"{name}{more}.{ending}"
    for name in ("compose", "docker-compose")
    for more in ("", ".override")
    for ending in ("yaml", "yml")
)
_OBEYED = {
    "ansible": ("ansible.cfg",),
    "ansible-playbook": ("ansible.cfg",),
    "bun": ("package.json", "bunfig.toml"),
    "bundle": ("Gemfile", ".bundle/config"),
    "cargo": ("Cargo.toml", "build.rs", ".cargo/config", ".cargo/config.toml"),
    "cmake": ("CMakeLists.txt",),
    "deno": ("deno.json", "deno.jsonc"),
    "direnv": (".envrc",),
    "docker": ("Dockerfile", *_COMPOSE),
    "docker-compose": _COMPOSE,
    "eslint": ("eslint.config.js", "eslint.config.mjs", "eslint.config.cjs", ".eslintrc.js"),
    "gdb": (".gdbinit",),
    "git": (".git/config", ".git/modules/*/config", *(f".git/hooks/{hook}" for hook in _HOOKS)),
    "go": ("go.mod",),
    "gmake": ("Makefile", "makefile", "GNUmakefile"),
    "gradle": ("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"),
    "invoke": ("tasks.py",),
    "just": ("justfile", "Justfile"),
    "make": ("Makefile", "makefile", "GNUmakefile"),
    "meson": ("meson.build",),
    "mvn": ("pom.xml",),
    "mypy": ("mypy.ini", ".mypy.ini", "pyproject.toml", "setup.cfg"),
    "ninja": ("build.ninja",),
    "nox": ("noxfile.py",),
    "npm": ("package.json", ".npmrc"),
    "npx": ("package.json", ".npmrc"),
    "pip": ("setup.py", "pyproject.toml"),
    "pdm": ("pyproject.toml",),
    "pnpm": ("package.json", ".npmrc", ".pnpmfile.cjs"),
    "poetry": ("pyproject.toml",),
    "pre-commit": (".pre-commit-config.yaml",),
    "pylint": ("pylintrc", ".pylintrc", "pyproject.toml", "setup.cfg"),
    "pytest": ("conftest.py", "pytest.ini", "pyproject.toml", "setup.cfg", "tox.ini"),
    "python": ("sitecustomize.py", "usercustomize.py"),
    "rake": ("Rakefile",),
    "scons": ("SConstruct",),
    "sphinx-build": ("conf.py",),
    "task": ("Taskfile.yml", "Taskfile.yaml"),
    "tox": ("tox.ini", "pyproject.toml", "setup.cfg"),
    "uv": ("pyproject.toml", "uv.toml"),
    "yarn": ("package.json", ".yarnrc", ".yarnrc.yml"),
}
"""What a program obeys without being told: it counts as named."""


_ENTRIES = {
    "node": (".js", "/index.js", "/package.json"),
    "python": ("/__main__.py",),
}
"""What a program takes where it is given a folder, or a name without its ending."""


def command_seal(command: str, root: Path) -> Seal:
    """Return the parts of a command line; blocking.

    Args:
        command: the line.
        root: the workspace, absolute, symlinks resolved; commands begin there.
    """
    parts = {"the command": digest_of(command)}
    words = list(dict.fromkeys(islice(_words(command, root), 20 * _MOST_WORDS)))
    folders = _folders(words[:_MOST_WORDS], root)
    patterns = [word for word in words if glob.has_magic(word)]
    over = len(words) > _MOST_WORDS or len(folders) > _MOST_FOLDERS
    over |= len(patterns) > _MOST_PATTERNS
    files = _files(words[:_MOST_WORDS], folders, _only_written(command))
    files -= _compiled(command, folders)
    parts |= _leading(words[:_MOST_WORDS], folders)
    for pattern in patterns[:_MOST_PATTERNS]:
        found = _matches(pattern, folders)
        over |= len(found) > _MOST_MATCHES
        parts[f"what {pattern} stands for"] = digest_of("\0".join(sorted(found)))
        files |= {name for match in found if (name := _name(Path(match), root)) is not None}
    if over:
        parts[TOO_MUCH] = ""
    return {**parts, **_sealed(files, root)}


def _sealed(files: set[str], root: Path) -> Seal:
    """Return files of the workspace as parts."""
    parts = {TOO_MUCH: ""} if len(files) > _MOST_FILES else {}
    room = _MOST_READ_BYTES
    for name in sorted(files)[:_MOST_FILES]:
        parts[f"{FILE_PART}{name}"], read = _digest(root / name, room)
        room -= read
    return parts


def code_seal(code: str, root: Path) -> Seal:
    """Return the parts of a program in Python; blocking.

    Args:
        code: the program.
        root: the workspace, absolute, symlinks resolved; its modules can be imported.
    """
    names = {name for module in _imported(code) for name in _module_files(module)}
    found = _files(sorted(names)[:_MOST_WORDS], [root], frozenset())
    over = {TOO_MUCH: ""} if len(names) > _MOST_WORDS else {}
    return {"the code": digest_of(code), **over, **_sealed(found, root)}


def _imported(code: str) -> set[str]:
    """Return the modules that a program imports by name, and all they lie in."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    parts = [name.split(".") for name in found]
    return {".".join(part[: at + 1]) for part in parts for at in range(len(part))}


def _module_files(module: str) -> tuple[str, ...]:
    """Return where a module of the workspace may be, relative to its root."""
    path = module.replace(".", "/")
    return (f"{path}.py", f"{path}/__main__.py", f"{path}/__init__.py")


def _words(command: str, root: Path, depth: int = 0) -> Iterator[str]:
    """Yield every text in a line that may name a file, without its quotes."""
    home = str(Path.home())
    line = _KNOWN.sub(lambda found: str(root) if "PWD" in found[0] else home, command)
    for word in _as_shells_do(line):
        yield from _opened(word)
        if depth < _DEEPEST and any(letter in word.strip() for letter in " \t\n;|&"):
            yield from _words(word, root, depth + 1)
    yield from _RUN.findall(_QUOTING.sub("", line))
    for module in _MODULE.findall(line):
        yield from _module_files(module)
    yield from _BEHIND.findall(_QUOTING.sub("", line))
    programs = {program.rstrip("0123456789") for program in _PROGRAM.findall(line)}
    for program in sorted(programs & _OBEYED.keys()):
        yield from _OBEYED[program]
    endings = [
        ending for program in sorted(programs & _ENTRIES.keys()) for ending in _ENTRIES[program]
    ]
    for word in _as_shells_do(line) if endings else ():
        yield from (f"{word.rstrip('/')}{ending}" for ending in endings)


def _as_shells_do(line: str) -> list[str]:
    """Return the words of a line; of one whose quotes do not end what stands between spaces."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.commenters = ""
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        return line.split()


def _opened(word: str) -> Iterator[str]:
    """Yield a word and what it holds: ``--file=a`` also ``a``, ``{a,b}.sh`` both, ``~`` in full."""
    for text in _braces(word):
        for piece in dict.fromkeys((text, *_SPLIT.split(text))):
            yield f"{Path.home()}{piece[1:]}" if piece.partition("/")[0] == "~" else piece
        if (flag := _FLAG.fullmatch(text)) is not None:
            yield flag[1]


def _braces(word: str) -> list[str]:
    texts = [word]
    while (found := _BRACES.search(texts[0])) and len(texts) < _MOST_BRACES:
        text = texts.pop(0)
        for one in found[1].split(","):
            texts.append(f"{text[: found.start()]}{one}{text[found.end() :]}")  # noqa: PERF401
    return texts


def _only_written(command: str) -> frozenset[str]:
    """Return the names to which output goes and which the line names nowhere else."""
    bare = _QUOTING.sub("", command)
    rest = _OUTPUT.sub(" ", bare)
    written = set(_OUTPUT.findall(bare))
    return frozenset(name for name in written if Path(name).name not in rest)


def _compiled(command: str, folders: Sequence[Path]) -> set[str]:
    """Return the files that a compiler only writes (``gcc -o x x.c``), relative to the workspace.

    One that the line names anywhere else is none of them, nor is a link: that leads elsewhere.
    """
    bare = _QUOTING.sub("", command)
    spans = [
        (segment.start() + target.start(1), segment.start() + target.end(1))
        for segment in _SEGMENT.finditer(bare)
        if _compiles(segment[0].split())
        for target in _TARGET.finditer(segment[0])
    ]
    if not spans:
        return set()
    root = folders[0]
    edges = [0, *(edge for span in spans for edge in span), len(bare)]
    rest = " ".join(bare[begin:end] for begin, end in zip(edges[::2], edges[1::2], strict=True))
    others = list(dict.fromkeys(islice(_words(rest, root), _MOST_WORDS)))
    written = _files([bare[begin:end] for begin, end in spans], folders, frozenset())
    named = _files(others, folders, frozenset())
    return {name for name in written - named if not (root / name).is_symlink()}


def _compiles(words: Sequence[str]) -> bool:
    return bool(words) and (
        _COMPILERS.fullmatch(words[0]) is not None or list(words[:2]) == ["go", "build"]
    )


def _leading(words: Sequence[str], folders: Sequence[Path]) -> Seal:
    """Return as parts where words lead that go through a link: to be read, or to be written."""
    root = folders[0]
    usable = [word for word in words if word and "\0" not in word and len(word) <= _LONGEST_PATH]
    found = {}
    for word, folder in product(usable, map(str, folders)):
        if word[0] != "/" and not os.path.lexists(f"{folder}/{word.partition('/')[0]}"):
            continue  # what is not there is no link
        place = word if word[0] == "/" else f"{folder}/{word}"
        path, real = Path(os.path.normpath(place)), os.path.realpath(place)
        if real != str(path) and _is_in(path, root):
            found[f"where {path.relative_to(root)} leads"] = digest_of(real)
    return found


def _folders(words: Sequence[str], root: Path) -> list[Path]:
    """Return the folders of the workspace a line may be in: its root, and those it names."""
    folders = [root]
    for word in words:
        for folder in tuple(folders):
            place = _place(word, folder)
            real = None if place is None else Path(os.path.realpath(place))
            new = real is not None and real not in folders and _is_in(real, root)
            if real is not None and new and real.is_dir() and len(folders) <= _MOST_FOLDERS:
                folders.append(real)
    return folders


def _files(words: Sequence[str], folders: Sequence[Path], ignored: frozenset[str]) -> set[str]:
    """Return the files of the workspace that words name, relative to its root."""
    root, found = folders[0], set()
    for word in words:
        for folder in () if word in ignored else folders:
            place = _place(word, folder)
            name = None if place is None else _name(place, root)
            if name is not None:
                found.add(name)
    return found


def _matches(pattern: str, folders: Sequence[Path]) -> set[str]:
    """Return what a pattern stands for now, absolute."""
    found: set[str] = set()
    for folder in folders:
        matches = glob.iglob(pattern, root_dir=folder)  # noqa: PTH207 - it may be absolute
        found |= {os.path.normpath(folder / match) for match in islice(matches, _MOST_MATCHES + 1)}
    return found


def _place(word: str, folder: Path) -> Path | None:
    """Return where a word leads, if there is something; None when there is nothing."""
    if not word or "\0" in word or len(word) > _LONGEST_PATH:
        return None
    path = Path(os.path.normpath(folder / word))
    return path if os.path.lexists(path) else None


def _name(path: Path, root: Path) -> str | None:
    """Return how a file is called that lies in the workspace, itself or by a link; else None."""
    real = Path(os.path.realpath(path))
    if real.is_dir():
        return None
    inside = next((one for one in (real, path) if _is_in(one, root)), None)
    return None if inside is None else inside.relative_to(root).as_posix()


def _is_in(path: Path, root: Path) -> bool:
    return path == root or root in path.parents


def _digest(path: Path, room: int) -> tuple[str, int]:
    """Return what stands for the content of a file, and how many bytes of it were read for that.

    One that is too large to be read, or no regular file, stands for itself by its number, size and
    times: writing to it changes those.

    Args:
        path: absolute.
        room: how many bytes may be read.
    """
    link = str(path.readlink()) if path.is_symlink() else ""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return f"unreadable {error.errno} {link}", 0
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > room:
            times = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            return " ".join(map(str, ("not read", *times, link))), 0
        content = hashlib.file_digest(file, "sha256").hexdigest()
        return f"{content} {link}".strip(), found.st_size
