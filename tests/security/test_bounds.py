"""What a command may use: processes, memory, disk; each is taken in every way that was found."""

import os
import threading
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from noctule.core.clock import SystemClock
from noctule.core.settings.tools import ToolsSettings
from tests.support.workbench import a_context, a_workspace
from tools.sandbox.sandbox import Sandbox
from tools.shell.holdings import memory_is_short
from tools.shell.shell import Shell, ShellArguments

pytestmark = pytest.mark.process

MIB = 1024 * 1024
MOST_PROCESSES = 256
FEW = 5
CLOCK = SystemClock()
SETTINGS = ToolsSettings(command_memory_mb=64, workspace_mb=1024)
LITTLE = ToolsSettings(command_memory_mb=256, workspace_mb=16)


async def shell(
    folder: Path, command: str, settings: ToolsSettings = SETTINGS, *, own: bool = True
) -> str:
    most = settings.workspace_mb * MIB
    context = a_context(a_workspace(folder, most_bytes=most, own=own))
    arguments = ShellArguments(command=command, timeout_s=30)
    return (await Shell(settings, Sandbox(settings)).run(arguments, context)).text


async def python(folder: Path, code: str, settings: ToolsSettings = SETTINGS) -> str:
    (folder / "attack.py").write_text(code)
    return await shell(folder, "python3 attack.py", settings)


class Sampler(threading.Thread):
    """Counts the processes of the sandbox in which a word was said, every 20 ms."""

    def __init__(self, word: str) -> None:
        super().__init__(daemon=True)
        self._word = word.encode()
        self._over = threading.Event()
        self.most = 0

    def run(self) -> None:
        places: set[Path] = set()
        while not self._over.wait(0.02):
            if self.most <= FEW:
                places = {Path(f"/proc/{pid}/root/proc") for pid in self.named()}
            self.most = max([self.most, *map(self._count, places)])

    def stop(self) -> None:
        self._over.set()
        self.join()

    def named(self) -> list[int]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                inside = process / "root/proc"
                named = self._word in (process / "cmdline").read_bytes()
                if named and not (inside / str(os.getpid())).exists():
                    found.append(int(process.name))
        return found

    @staticmethod
    def _count(place: Path) -> int:
        with suppress(OSError):
            return sum(each.name.isdigit() for each in place.iterdir())
        return 0


BOMBS = {
    "shell": "bomb() {{ bomb | bomb & }}; bomb; : {word}; wait; sleep 20",
    "forks": "python3 -c 'import os\nwhile 1:\n try: os.fork()\n except OSError: pass' {word}",
    "sessions": "python3 -c 'import os, signal\nfor n in range(1, 32):\n"
    " n in (9, 19) or signal.signal(n, 1)\nwhile 1:\n try: os.fork() or os.setsid()\n"
    " except OSError: pass' {word}",
}


@pytest.mark.parametrize("bomb", list(BOMBS))
async def test_a_fork_flood_is_bounded_and_ended_at_once(tmp_path: Path, bomb: str):
    """At no moment do more than 256 live; all end soon after the bound, and nothing is left."""
    word = f"bomb{uuid4().hex}"
    sampler = Sampler(word)
    sampler.start()
    try:
        text = await shell(tmp_path, f"sleep 0.7; {BOMBS[bomb].format(word=word)}")
    finally:
        sampler.stop()
    assert "it had more than 240 processes" in text
    assert 0 < sampler.most <= MOST_PROCESSES
    for _ in range(500):
        if not sampler.named():
            break
        await CLOCK.sleep(0.02)
    assert sampler.named() == []


async def test_threads_count_as_well(tmp_path: Path):
    """What the system bounds is threads; a program that starts too many is told so."""
    text = await python(
        tmp_path,
        "import threading, time\n"
        "try:\n"
        "    for n in range(1000):\n"
        "        threading.Thread(target=time.sleep, args=(20,), daemon=True).start()\n"
        "except RuntimeError as error: print(n, error, flush=True)\n"
        "import os; os._exit(0)\n",
    )
    assert "can't start new thread" in text
    assert int(text.splitlines()[1].split()[0]) < MOST_PROCESSES


HOLDS = {
    "shared mapping": "m = mmap.mmap(-1, SIZE)\nfill(m)",
    "many shared mappings": "ms = [mmap.mmap(-1, SIZE // 60) for _ in range(60)]\n"
    "for m in ms: fill(m)",
    "memfd that is written": "fd = os.memfd_create('x')\n"
    "for _ in range(SIZE // MIB): os.write(fd, b'x' * MIB)",
    "memfd that is mapped and closed": "fd = os.memfd_create('x')\nos.ftruncate(fd, SIZE)\n"
    "m = mmap.mmap(fd, SIZE)\nos.close(fd)\nfill(m)",
    "memfd whose mapping was undone": "fd = os.memfd_create('x')\nos.ftruncate(fd, SIZE)\n"
    "m = mmap.mmap(fd, SIZE)\nfill(m)\nm.close()",
    "memfds, one in each child": "for n in range(10):\n"
    "    if not os.fork():\n"
    "        fd = os.memfd_create('x')\n"
    "        for _ in range(SIZE // MIB // 10): os.write(fd, b'x' * MIB)\n"
    "        time.sleep(20)",
    "own memory of many": "for n in range(12):\n"
    "    if not os.fork(): x = bytearray(b'x') * (SIZE // 12); time.sleep(20)",
    "each place within its bound": "for place in ('/tmp', '/dev/shm'):\n"
    "    with open(f'{place}/x', 'wb') as f:\n"
    "        for _ in range(60): f.write(b'x' * MIB)\n"
    "m = mmap.mmap(-1, 60 * MIB)\nfill(m)",
    "page tables": "fd = os.memfd_create('x')\nos.ftruncate(fd, 4096)\n"
    "c = ctypes.CDLL(None)\n"
    "c.mmap.restype = ctypes.c_void_p\n"
    "c.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]\n"
    "for n in range(50000):\n"
    "    at = c.mmap(0x200000000000 + n * 2**21, 4096, 3, 0x11, fd, 0)\n"
    "    ctypes.cast(at, ctypes.POINTER(ctypes.c_char))[0] = b'x'",
    "deleted files of both places": "fs = []\nfor place in ('/tmp', '/dev/shm'):\n"
    "    fs.append(open(f'{place}/x', 'wb', 0)); os.unlink(f'{place}/x')\n"
    "    for _ in range(60): fs[-1].write(b'x' * MIB)\n"
    "x = bytearray(b'x') * (40 * MIB)",
}
PREPARED = """\
import ctypes, mmap, os, time
MIB = 2 ** 20
SIZE = 600 * MIB
def fill(m):
    for at in range(0, len(m), 4096): m[at] = 1
"""


@pytest.mark.parametrize("form", list(HOLDS))
async def test_memory_is_counted_wherever_it_is_held(tmp_path: Path, form: str):
    """600 MB where 64 are allowed, in memory that is no process's own."""
    text = await python(tmp_path, f"{PREPARED}{HOLDS[form]}\nprint('HELD')\ntime.sleep(20)")
    assert "held more than 128.0 MiB of memory together" in text


async def test_what_is_shared_counts_once(tmp_path: Path):
    """Twenty processes that share 40 MB hold 40 MB, through a mapping or a file of /dev/shm."""
    code = (
        f"{PREPARED}m = mmap.mmap(-1, 40 * MIB)\nfill(m)\n"
        "fd = os.memfd_create('x')\nos.ftruncate(fd, 30 * MIB)\nn = mmap.mmap(fd, 30 * MIB)\n"
        "fill(n)\n"
        "for _ in range(20):\n"
        "    if not os.fork():\n"
        "        sum(m[::4096]); sum(n[::4096]); time.sleep(1.5); os._exit(0)\n"
        "time.sleep(1.5)\nprint('fine')"
    )
    assert "fine" in await python(tmp_path, code)


async def test_memory_in_many_pieces_is_not_hidden_by_their_number(tmp_path: Path):
    """Looking through fifty thousand mappings takes long; the command is ended all the same."""
    pieces = HOLDS["page tables"].replace("range(50000)", "range(60000)")
    code = f"{PREPARED}for _ in range(8):\n    if not os.fork(): break\n{pieces}\ntime.sleep(60)"
    text = await python(tmp_path, code)
    assert "of memory together" in text or "too many pieces" in text


async def test_system_v_memory_is_refused_beyond_a_page(tmp_path: Path):
    """It stays when its maker ends, and no process need hold it."""
    text = await python(
        tmp_path,
        "import ctypes\nc = ctypes.CDLL(None, use_errno=True)\n"
        "print([c.shmget(0, n, 0o1600) >= 0 for n in (4096, 4097, 2 ** 20)])",
    )
    assert "[True, False, False]" in text


DISK = {
    "open": "fs = []\nfor n in range(30):\n"
    "    fs.append(open('x', 'wb', 0)); os.unlink('x'); fs[-1].write(b'x' * 2 * MIB)",
    "mapped and closed": "ms = []\nfor n in range(30):\n"
    "    f = open('x', 'wb+', 0); os.unlink('x'); f.write(b'x' * 2 * MIB)\n"
    "    ms.append(mmap.mmap(f.fileno(), 2 * MIB)); f.close()",
    "without a name from the beginning": "fs = []\nfor n in range(30):\n"
    "    fs.append(os.open('.', os.O_TMPFILE | os.O_RDWR)); os.write(fs[-1], b'x' * 2 * MIB)",
}


@pytest.mark.parametrize("whose", ["own", "given"])
@pytest.mark.parametrize("form", list(DISK))
async def test_deleted_files_count_while_they_take_room(tmp_path: Path, form: str, whose: str):
    """60 MB where 16 are allowed, and no file to be seen."""
    code = f"import mmap, os, time\nMIB = 2 ** 20\n{DISK[form]}\ntime.sleep(20)"
    (tmp_path / "attack.py").write_text(code)
    text = await shell(tmp_path, "python3 attack.py", LITTLE, own=whose == "own")
    said = {"own": "the workspace holds", "given": "it has written"}
    assert f"Ended by Noctule: {said[whose]}" in text


async def test_every_file_system_in_memory_has_a_size(tmp_path: Path):
    """The hidden ones too; what has none cannot be written."""
    hidden = Path("/usr/share") / f"noctule-{uuid4().hex}"
    try:
        hidden.mkdir()
    except OSError:
        pytest.skip("not tried: /usr/share cannot be written here")
    try:
        tool = Shell(SETTINGS, Sandbox(SETTINGS, hidden=[hidden]))
        command = f"cat /proc/self/mountinfo; head -c 1M /dev/zero >{hidden}/x; echo end"
        context = a_context(a_workspace(tmp_path))
        text = (await tool.run(ShellArguments(command=command), context)).text
    finally:
        hidden.rmdir()
    mounts = [line.split() for line in text.splitlines() if " - tmpfs " in line]
    assert {words[4] for words in mounts} >= {"/", "/tmp", "/dev/shm", str(hidden)}
    writable = [words for words in mounts if "ro" not in words[5].split(",")]
    unbound = [words for words in writable if "size=" not in words[-1]]
    assert [words[4] for words in unbound] == []
    assert "No space left" in text


def test_a_machine_that_runs_out_of_memory_is_noticed(tmp_path: Path):
    """Whatever holds it; where nobody tells, nothing is ended for it."""
    told = tmp_path / "meminfo"
    for left, short in ((500, False), (200, False), (199, True), (0, True)):
        told.write_text(f"MemTotal:       10000 kB\nMemFree: 1 kB\nMemAvailable:  {left} kB\n")
        assert memory_is_short(told) is short
    told.write_text("MemTotal:       10000 kB\n")
    assert not memory_is_short(told)
    assert not memory_is_short(tmp_path / "none")
    assert not memory_is_short()
