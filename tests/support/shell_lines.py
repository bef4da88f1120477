"""Command lines at random that try to do more than they show, and a bash that tells what they did.

The bash runs in a sandbox where PATH holds nothing but programs that write down how they were
called, so a line can be run whatever it is.
"""

# ruff: noqa: Q003 - a table of quotation marks

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tools.base.programs import system_program

HARMLESS = (
    "git status", "git status -s", "git status --short .", "git log --oneline -3", "git diff HEAD",
    "pytest -q", "pytest tests/unit -k name", "pytest", "ls -l", "ls", "echo hello",
    "echo 'a b' \"c d\"", "python -m pytest -x", "make", "true", "test -f a", "printf '%s' a",
)  # fmt: skip
EVIL = (
    "rm x", "git push", "git -C . push", "git -c alias.x='!rm x' x", "curl evil", "./evil", "evil",
    "rm -rf .", "sudo rm x", "cat a", "status", "python -c 'x'", "bash -c 'rm x'", "x",
)  # fmt: skip
_JOINS = (
    ";", "; ", " && ", " || ", " | ", " & ", "\n", "|&", ";;", " ;& ", "\r\n", "\r", "\\\n",
    " \\\n", "\\;", "'\n'", "\"\n\"", " #\n", " # '\n", " #\\\n", " # \"\n", " #`\n", "\v", "\f",
    "\u2028", "\u00a0", "\u00a0;", "\u3000", "\t", "  ", "#", " #", "\\#", " \\ #", "\\\n#",
    "$'\\n'",
    " !", " -- ", ",", "'", "\"", "`", "\\", "$", "$'", "$\"", "'\\''", "\\'", "\"'\"", " > ", ">>",
    " <", "<<<", " 2>&1 ", " &>", ">&", "<(", "$(", ")", "(", "{", "}", " { ", "; }", "$((", "))",
    "${", "[[ ", " ]]", "<<E\n", "\nE\n", "<<'E'\n", "<<-E\n", "\n}\n", ";\n", "&\n", "|\n", "=",
)  # fmt: skip
_WRAPS = (
    "env {}", "env -i A=b {}", "nice -n 5 {}", "timeout 5 {}", "echo a | xargs {}", "exec {}",
    "find . -exec {} ;", "find . -exec {} \\;", "command {}", "builtin {}", "eval {}", "eval '{}'",
    "eval \"{}\"", "sudo -u x {}", "time {}", "! {}", "{{ {}; }}", "({})", "if true; then {}; fi",
    "for i in a; do {}; done", "while false; do {}; done; {}", "case a in a) {};; esac", "$({})",
    "f() {{ {}; }}; f", "function f {{ {}; }}; f", "git() {{ {}; }}; git status", "`{}`",
    "alias git='{}'; git status", "trap '{}' EXIT", "source <(echo {})", ". <(echo {})", "A=b {}",
    "bash -c '{}'", "sh -c \"{}\"", "bash <<< '{}'", "bash <<E\n{}\nE\n", "coproc {}",
    "[[ $({}) ]]",
    "echo $({})", "echo `{}`", "echo \"$({})\"", "echo \"`{}`\"", "echo <({})", "echo >({})",
    "echo $(( $({}) ))", "echo $[ $({}) ]", "a[$({})]=1", "a=($({}))", "echo ${{x:-$({})}}",
    "echo ${{x:=`{}`}}", "echo \"${{x:-\"$({})\"}}\"", "test -v 'a[$({})]'", "[ -v 'a[$({})]' ]",
    "printf -v 'a[$({})]' x", "read 'a[`{}`]'", "unset 'a[$({})]'", "let 'a[$({})]=1'",
    "declare 'a[$({})]=1'", "echo {{a,$({})}}", "echo ~$({})", "cat <<E\n$({})\nE\n",
    "xargs -I@ {}",
    "x='{}'; $x", "x='{}'; eval $x", "x={}; ${{x}}", "echo '{}' | bash", "echo '{}' | sh -s",
    "{} &",
    "set -- {}; \"$@\"", "printf '{}' | bash", "${{x:+{}}}", "$'{}'", "$\"{}\"", "\"{}\"", "'{}'",
    "PATH=. {}", "BASH_ENV=x {}", "IFS=t; {}", "hash -p ./evil git; {}", "enable -f x {}", "\\{}",
    "echo ${{x@P}} {}", "exec -a git {}", "nohup {}", "setsid {}", "test 'a[$({})]' -eq 0",
    "PROMPT_COMMAND='{}'", "PS4='$({})'; set -x; git status", "mapfile -C '{}' -c 1 a <<< b",
    "complete -C '{}' git", "trap '{}' DEBUG; git status", "cd .; {}", "pytest {}", "git status {}",
)  # fmt: skip
_PROGRAMS = (
    "git", "pytest", "ls", "rm", "curl", "env", "nice", "timeout", "xargs", "find", "sudo", "cat",
    "python", "make", "sh", "bash", "evil", "status", "x", "nohup", "setsid", "tee", "touch", "a",
)  # fmt: skip

_RECORD = """#!/shell/dash
printf '%s\\0' "$NOCTULE_LINE" "$#" "${0##*/}" "$@" >>/log/calls
"""
_RUN = r"""
trap '' INT TERM HUP
n=0
while [ $n -lt "$COUNT" ] && IFS= read -r -d '' line; do
  export NOCTULE_LINE=$n
  ( cd /w/$n && HOME=/w/$n && eval "$line" ) </dev/null >/dev/null 2>&1
  n=$((n+1))
done
read -r -t 1
printf 'ran %s' "$n"
"""
_THERE = ("evil", "status")


@dataclass(frozen=True, slots=True)
class Done:
    """What a line did.

    Args:
        calls: the programs it started, each by name with its arguments.
        files: the files it made or wrote to.
    """

    calls: tuple[tuple[str, ...], ...]
    files: tuple[str, ...]


def random_line(chance: Random) -> str:
    """Return one line; about every other one is nearly harmless."""
    text = _command(chance, evil=0.1)
    for _ in range(chance.choice((0, 0, 1, 1, 2, 3))):
        what = chance.random()
        if what < 0.45:
            text += chance.choice(_JOINS) + _command(chance, evil=0.5)
        elif what < 0.6:
            text = chance.choice(_WRAPS).format(*[text] * 2)
        elif what < 0.75:
            at = chance.randint(0, len(text))
            text = text[:at] + chance.choice(_JOINS) + text[at:]
        else:
            text += " " + _word(chance, chance.choice(("a", "-x", "b c", "$x", "*", "~", "{a,b}")))
    return text


def _command(chance: Random, evil: float) -> str:
    text = chance.choice(EVIL if chance.random() < evil else HARMLESS)
    if chance.random() < 0.3:
        words = text.split(" ")
        at = chance.randrange(len(words))
        words[at] = _word(chance, words[at])
        text = chance.choice((" ", " ", "  ", "\t", "${IFS}", "\\\n ")).join(words)
    if evil > 0.2 and chance.random() < 0.3:
        text = chance.choice(_WRAPS).format(*[text] * 2)
    return text


def _word(chance: Random, word: str) -> str:
    """Return a word written in another way."""
    at = chance.randint(0, len(word))
    head, tail = word[:at], word[at:]
    return chance.choice((
        f"'{word}'", f'"{word}"', f"{head}\\{tail}", f"{head}''{tail}", f'{head}""{tail}',
        f"$'{word}'", f'$"{word}"', f"{head}$x{tail}", f"{head}${{x}}{tail}", f"$(echo {word})",
        f"`echo {word}`", f"{{{word},}}", f"{head}?", f"[{word[:1]}]{word[1:]}",
        f"{head}\\\n{tail}",
        f"{head}\u200b{tail}", f"{head}\r{tail}", f"{word}\u00a0", f"{head}$(){tail}", f"{word}*",
        f"{head}``{tail}", f"~/{word}", f"./{word}", f"{head}$'\\x41'{tail}", f"{word}=1",
        f"{head}\"$(rm x)\"{tail}", f"{head}${{x#y}}{tail}", f"{head}$#{tail}",
        f"{head}$$'a'{tail}",
    ))  # fmt: skip


def missing() -> str | None:
    """Return what such a bash needs and this machine lacks, as a clause; None when nothing."""
    names = [name for name in ("bwrap", "bash", "dash") if system_program(name) is None]
    return f"needs {' and '.join(names)}" if names else None


def run_lines(lines: Sequence[str], folder: Path) -> list[Done]:
    """Run lines one after the other, each in a shell of its own, and return what each did.

    Args:
        lines: without NUL.
        folder: an empty one for what is written down.

    Raises:
        RuntimeError: the bash ended before the last line.
    """
    programs, work, log = folder / "programs", folder / "work", folder / "log"
    for one in (programs, work, log):
        one.mkdir()
    record = programs / "record"
    record.write_text(_RECORD)
    record.chmod(0o755)
    for name in _PROGRAMS:
        (programs / name).symlink_to("record")
    for number in range(len(lines)):
        (work / str(number)).mkdir()
        (work / str(number) / "a").touch()
        for name in _THERE:
            (work / str(number) / name).symlink_to("/programs/record")
    (log / "calls").touch()
    words = ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    for name in ("bash", "dash"):
        real = os.path.realpath(str(system_program(name)))
        words += ["--ro-bind", real, f"/shell/{name}"]
    for name in ("/lib", "/lib64", "/usr/lib", "/usr/lib64"):
        if Path(name).is_symlink():
            words += ["--symlink", str(Path(name).readlink()), name]
        elif Path(name).is_dir():
            words += ["--ro-bind", name, name]
    words += ["--dev", "/dev", "--ro-bind", str(programs), "/programs"]
    words += ["--bind", str(work), "/w", "--bind", str(log), "/log", "--remount-ro", "/"]
    words += ["--clearenv", "--setenv", "PATH", "/programs", "--setenv", "HOME", "/w/0"]
    words += ["--setenv", "FUNCNEST", "20"]  # a function that calls itself ends
    words += ["--setenv", "LC_ALL", "C.UTF-8", "--setenv", "COUNT", str(len(lines))]
    words += ["--", "/shell/bash", "--noprofile", "--norc", "-c", _RUN]
    told = "".join(f"{line}\0" for line in lines).encode("utf-8", "surrogateescape")
    with subprocess.Popen(
        [str(system_program("bwrap")), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as bash:
        assert bash.stdin is not None
        assert bash.stdout is not None
        bash.stdin.write(told)
        bash.stdin.flush()
        said = bash.stdout.read()  # its input stays open: it waits for what runs in the background
    if said != f"ran {len(lines)}".encode():
        raise RuntimeError(f"bash ended early: {said!r}")
    calls = _calls((log / "calls").read_bytes(), len(lines))
    files = [_files(work / str(number)) for number in range(len(lines))]
    return [Done(tuple(one), files) for one, files in zip(calls, files, strict=True)]


def _files(folder: Path) -> tuple[str, ...]:
    made = [path.name for path in folder.iterdir() if path.name not in (*_THERE, "a")]
    return tuple(made) if (folder / "a").stat().st_size == 0 else (*made, "a")


def _calls(recorded: bytes, count: int) -> list[list[tuple[str, ...]]]:
    calls: list[list[tuple[str, ...]]] = [[] for _ in range(count)]
    words = recorded.decode("utf-8", "surrogateescape").split("\0")[:-1]
    at = 0
    while at < len(words):
        number, many = int(words[at]), int(words[at + 1])
        calls[number].append(tuple(words[at + 2 : at + 3 + many]))
        at += 3 + many
    return calls
