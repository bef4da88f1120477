"""The filter of system calls: held against libseccomp's own, and tried by real processes."""

import ctypes
import errno
import os
import random
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from noctule.core.settings.tools import ToolsSettings
from tests.support.bpf import answer
from tests.support.fuzzing import examples
from tests.support.workbench import a_context, a_workspace
from tools.sandbox.sandbox import Sandbox
from tools.sandbox.seccomp import ARCHITECTURES, program_for, refusals
from tools.shell.shell import Shell, ShellArguments

ALLOW, ERROR = 0x7FFF0000, 0x00050000
REFUSED = {number | ERROR for number in (errno.EPERM, errno.ENOSYS, errno.EAFNOSUPPORT)}
SET_ID = 0o6000
CREATES = (0o100, 0o20000000)
FAMILIES = (1, 2, 10, 16)
GE, LE, GT, NE, MASKED = 5, 3, 6, 1, 7  # enum scmp_compare
LOW = 0xFFFFFFFF


class Comparison(ctypes.Structure):
    """``struct scmp_arg_cmp``."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


class Peer:
    """The same rules, told to libseccomp in its own words."""

    def __init__(self, machine: str) -> None:
        self._library = ctypes.CDLL("libseccomp.so.2")
        self._library.seccomp_init.restype = ctypes.c_void_p
        self._arch = ARCHITECTURES[machine]
        self._context = ctypes.c_void_p(self._library.seccomp_init(ALLOW))
        native = self._library.seccomp_arch_native() & LOW
        if native != self._arch:
            assert self._library.seccomp_arch_add(self._context, self._arch) == 0
            assert self._library.seccomp_arch_remove(self._context, native) == 0
        assert self._library.seccomp_attr_set(self._context, 2, ERROR | errno.ENOSYS) == 0

    def number(self, name: str) -> int:
        found = self._library.seccomp_syscall_resolve_name_arch(self._arch, name.encode())
        return {"fchmodat2": 452}.get(name, found)

    def refuse(self, name: str, why: int, *compared: tuple[int, int, int, int]) -> None:
        if self.number(name) < 0:
            return
        number = self._library.seccomp_syscall_resolve_name(name.encode())  # it translates
        number = {"fchmodat2": 452}.get(name, number)
        rules = (Comparison * len(compared))(*compared)  # type: ignore[misc]  # ctypes takes tuples of the fields
        add = self._library.seccomp_rule_add_array
        assert add(self._context, ERROR | why, number, len(compared), rules) == 0, name

    def program(self) -> bytes:
        with tempfile.TemporaryFile() as file:
            assert self._library.seccomp_export_bpf(self._context, file.fileno()) == 0
            file.seek(0)
            return file.read()


def peer_of(machine: str) -> tuple[Peer, bytes]:
    peer = Peer(machine)
    for name, why in refusals(machine).values():
        peer.refuse(name, why)
    places = {"chmod": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2, "mkdir": 1, "mkdirat": 2}
    for name, place in {**places, "creat": 1, "mknod": 1, "mknodat": 2}.items():
        for bit in (0o4000, 0o2000):
            peer.refuse(name, errno.EPERM, (place, MASKED, bit, bit))
    for name, flags in {"open": 1, "openat": 2}.items():
        for bit in (0o4000, 0o2000):
            for makes in CREATES:
                mode, flag = (flags + 1, MASKED, bit, bit), (flags, MASKED, makes, makes)
                peer.refuse(name, errno.EPERM, mode, flag)
    for name in ("socket", "socketpair"):
        for family in set(range(64)) - set(FAMILIES):
            peer.refuse(name, errno.EAFNOSUPPORT, (0, MASKED, LOW, family))
    for request in (0x5412, 0x541C):
        peer.refuse("ioctl", errno.EPERM, (1, MASKED, LOW, request))
    peer.refuse("semget", errno.EPERM, (1, GT, 32, 0))
    peer.refuse("shmget", errno.EPERM, (1, GT, 4096, 0))
    return peer, peer.program()


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def filters(request: pytest.FixtureRequest) -> tuple[str, Peer, bytes, bytes]:
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        pytest.skip("not tried: libseccomp2 is not installed")
    ours = program_for(request.param)
    assert ours is not None
    return request.param, *peer_of(request.param), ours


def test_every_name_in_the_table_has_its_number(filters: tuple[str, Peer, bytes, bytes]):
    """As libseccomp knows them, on both machines."""
    machine, peer, _, _ = filters
    wrong = {name: number for number, (name, _) in refusals(machine).items()
             if peer.number(name) != number}  # fmt: skip
    assert wrong == {}
    assert len(refusals(machine)) > 40


def calls(chance: random.Random) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Every number there is with arguments at the edges of what is asked."""
    edges = [0, 1, 2, 9, 10, 16, 17, 31, 32, 33, 38, 40, 63, 4095, 4096, 4097, 0o644, 0o4755,
             0o2755, 0o6000, 0o1777, 0o100, 0o102, 0o20200000, 0o100000, 0x5412, 0x541C, 0x5413,
             0xFFFFFFFF, 0x1_0000_0000, 0xFFFFFFFF_00000001]  # fmt: skip
    for number in range(463):
        for _ in range(examples(20)):
            given = [chance.choice(edges) for _ in range(6)]
            if number in (64, 190):  # semget takes an int, of which libseccomp compares 64 bits
                given[1] &= LOW
            yield number, tuple(given)


def test_both_filters_answer_alike(filters: tuple[str, Peer, bytes, bytes]):
    """Ours, a list of jumps, and libseccomp's, a tree, over every call and its edges."""
    machine, _, theirs, ours = filters
    different = []
    for number, arguments in calls(random.Random(5)):
        ask = (ARCHITECTURES[machine], number, arguments)
        mine, other = answer(ours, *ask), answer(theirs, *ask)
        family = arguments[0] & LOW
        if mine != other and not (mine == ERROR | errno.EAFNOSUPPORT and family > 63):
            different.append((number, arguments, hex(mine), hex(other)))
    assert different[:5] == []


@pytest.mark.parametrize("machine", list(ARCHITECTURES))
def test_numbers_of_other_architectures_are_refused(machine: str):
    """i386, x32, arm and what newer kernels know: each call fails, none is a kill."""
    program = program_for(machine)
    assert program is not None
    for arch in (0x40000003, 0x40000028, 0xC000003E, 0xC00000B7, 0xC00000F3, 0):
        for number in (0, 1, 59, 250, 462, 463, 470, 520, 0x40000000, 0x400000FA, 0xFFFFFFFF):
            verdict = answer(program, arch, number, (0,) * 6)
            native = arch == ARCHITECTURES[machine] and number <= 462
            known = native and number not in refusals(machine)
            assert verdict == ALLOW if known else verdict in REFUSED
    assert program_for("riscv64") is None
    assert len(struct.pack("<HBBI", 0, 0, 0, 0)) * 4096 >= len(program)  # BPF_MAXINSNS


ATTACK = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#define TRY(name, call) do { errno = 0; long r = (call); \
  printf("%s %s\n", name, r >= 0 ? "DONE" : strerror(errno)); fflush(stdout); } while (0)
int main(void) {
  char b[4096] = {0};
  close(open("file", O_CREAT | O_RDWR, 0755));
  TRY("keyctl", syscall(SYS_keyctl, 0, -4, 1, 0, 0));
  TRY("add_key", syscall(SYS_add_key, "user", "a", "b", 1, -2));
  TRY("request_key", syscall(SYS_request_key, "user", "a", 0, -4));
  for (int f = 0; f < 64; f++)
    if (f != 1 && f != 2 && f != 10 && f != 16) {
      int s = socket(f, SOCK_DGRAM, 0), t = socket(f, SOCK_STREAM, 0), u = socket(f, SOCK_RAW, 0);
      if (s >= 0 || t >= 0 || u >= 0) printf("family %d DONE\n", f);
    }
  TRY("vsock", socket(40, SOCK_STREAM, 0));
  TRY("io_uring", syscall(425, 1, b));
  TRY("userfaultfd", syscall(SYS_userfaultfd, 1));
  TRY("bpf", syscall(SYS_bpf, 0, b, 72));
  TRY("perf", syscall(SYS_perf_event_open, b, 0, -1, -1, 0));
  TRY("vm_readv", syscall(SYS_process_vm_readv, getpid(), 0, 0, 0, 0, 0));
  TRY("memfd_secret", syscall(447, 0));
  TRY("msgget", syscall(SYS_msgget, 0, 01600));
  TRY("shmget", syscall(SYS_shmget, 0, 1 << 20, 01600));
  TRY("semget", syscall(SYS_semget, 0, 1000, 01600));
  TRY("mount", syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, 0));
  TRY("fsopen", syscall(430, "tmpfs", 0));
  TRY("TIOCSTI", syscall(SYS_ioctl, 0, 0x5412, "x"));
  TRY("fchmod", fchmod(open("file", O_RDONLY), 04755));
  TRY("fchmodat", syscall(SYS_fchmodat, AT_FDCWD, "file", 02755, 0));
  TRY("fchmodat2", syscall(452, AT_FDCWD, "file", 06755, 0));
  TRY("openat", openat(AT_FDCWD, "a", O_CREAT | O_RDWR, 04755));
  TRY("tmpfile", openat(AT_FDCWD, ".", O_TMPFILE | O_RDWR, 04755));
  TRY("openat2", syscall(437, AT_FDCWD, "b", (unsigned long long[]){0102, 04755, 0}, 24));
  TRY("mkdirat", mkdirat(AT_FDCWD, "c", 02755));
  TRY("mknodat", mknodat(AT_FDCWD, "d", S_IFREG | 04755, 0));
#ifdef __x86_64__
  TRY("chmod", syscall(SYS_chmod, "file", 04755));
  TRY("creat", syscall(SYS_creat, "e", 04755));
  TRY("open", syscall(SYS_open, "f", O_CREAT | O_RDWR, 04755));
  TRY("mkdir", syscall(SYS_mkdir, "g", 04755));
  TRY("mknod", syscall(SYS_mknod, "h", S_IFREG | 04755, 0));
  TRY("x32 getpid", syscall(0x40000000 + 39));
  long r;
  __asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory");
  printf("i386 getpid %s\n", r > 0 ? "DONE" : strerror(-r));
#endif
  puts("end");
}
"""


@pytest.mark.process
def test_no_refused_call_is_carried_out(tmp_path: Path):
    """A program of C makes each of them by number; none succeeds, none is a kill."""
    compiler = shutil.which("cc", path="/usr/bin:/bin")
    if compiler is None:
        pytest.skip("not tried: there is no C compiler")
    (tmp_path / "attack.c").write_text(ATTACK)
    build = [compiler, "-o", str(tmp_path / "attack"), str(tmp_path / "attack.c")]
    subprocess.run(build, check=True, capture_output=True)
    argv = Sandbox(ToolsSettings()).wrapped(
        [str(tmp_path / "attack")], a_workspace(tmp_path), {"PATH": "/usr/bin:/bin"}
    )
    lines = ran(argv)
    assert lines[-1] == "end"
    assert [line for line in lines if line.endswith("DONE")] == []
    assert len(lines) > 25
    assert "keyctl Operation not permitted" in lines
    assert "vsock Address family not supported by protocol" in lines
    assert "io_uring Function not implemented" in lines
    assert [path.name for path in tmp_path.iterdir() if path.stat().st_mode & SET_ID] == []
    bare = [word for word in argv if word not in ("--seccomp", "9")]
    assert len([line for line in ran(bare) if line.endswith("DONE")]) > 10


def ran(argv: list[str]) -> list[str]:
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    return ended.stdout.splitlines()


WORKS = {
    "python": "python3 -c 'import socket, tempfile, multiprocessing as m; "
    'm.Pool(2).map(abs, [1]); socket.socketpair(); print("well")\'',
    "shared memory": "python3 -c 'from multiprocessing import shared_memory as s; "
    'a = s.SharedMemory(create=True, size=10**6); a.unlink(); print("well")\'',
    "unix sockets": "python3 -c 'import socket as s; a = s.socket(s.AF_UNIX); a.bind(\"u\"); "
    'a.listen(); b = s.socket(s.AF_UNIX); b.connect("u"); print("well")\'',
    "interfaces": "python3 -c 'import socket; socket.if_nameindex(); print(\"well\")'",
    "git": "git init -q r && cd r && echo a >a && git add a && git -c user.name=a -c "
    "user.email=a@b commit -qm a && git log --oneline | grep -q a && echo well",
    "cc": "echo 'int main(void){return 0;}' >m.c && cc -O1 -o m m.c && ./m && echo well",
    "node": "node -e 'const fs=require(\"fs\"); fs.writeFileSync(\"n\",\"x\"); "
    "fs.promises.readFile(\"n\").then(() => console.log(\"well\"))'",
    "rg": "echo needle >hay && rg -q needle hay && echo well",
    "tar": "mkdir -p t && echo x >t/x && chmod 750 t/x && tar cf t.tar t && rm -r t && "
    "tar xf t.tar && [ $(stat -c %a t/x) = 750 ] && echo well",
    "make": "printf 'all:\\n\\t@echo well\\n' >Makefile && make -s -j4",
    "find": "mkdir -m 1777 sticky && cp -a /etc/hostname . ; find . -name sticky | grep -q . "
    "&& echo well",
}  # fmt: skip


@pytest.mark.process
@pytest.mark.parametrize("tool", list(WORKS))
async def test_common_tools_go_on_working(tmp_path: Path, tool: str):
    """What projects are built and tested with meets no refusal."""
    if tool in {"git", "cc", "node", "rg", "make"} and not shutil.which(
        tool, path="/usr/bin:/bin:/usr/local/bin"
    ):
        pytest.skip(f"not tried: there is no {tool}")
    text = await shell(tmp_path, WORKS[tool])
    assert text.rstrip().endswith("well"), text


@pytest.mark.process
async def test_the_filter_holds_for_everything_a_command_starts(tmp_path: Path):
    """The sandbox's first process among them, and no descriptor of it is left open."""
    text = await shell(
        tmp_path,
        "for p in /proc/[0-9]*; do grep -H Seccomp: $p/status; done; ls /proc/1/fd /proc/self/fd",
    )
    found = [line for line in text.splitlines() if "Seccomp:" in line]
    assert len(found) >= 2
    assert all(line.split()[-1] == "2" for line in found)
    assert "9" not in text.split("/proc/1/fd:")[-1].split()


@pytest.mark.process
def test_without_a_filter_nothing_runs(tmp_path: Path):
    """One that cannot be read stops the command before bubblewrap starts."""
    workspace = a_workspace(tmp_path)
    argv = Sandbox(ToolsSettings()).wrapped(["/bin/sh", "-c", "echo ran"], workspace, {})
    place = next(number for number, word in enumerate(argv) if word.startswith("/proc/"))
    assert argv[place].startswith(f"/proc/{os.getpid()}/fd/")
    argv[place] = "/nonexistent"
    ended = subprocess.run(argv, capture_output=True, check=False)
    assert ended.returncode != 0
    assert ended.stdout == b""


async def shell(folder: Path, command: str) -> str:
    settings = ToolsSettings()
    context = a_context(a_workspace(folder, most_bytes=64 * 1024 * 1024))
    arguments = ShellArguments(command=command)
    return (await Shell(settings, Sandbox(settings)).run(arguments, context)).text
