"""What a person is shown before they decide."""

import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from noctule.core.grants import changes
from noctule.core.plain_sight import in_plain_sight, odd_letters
from noctule.core.settings.tools import SandboxChoice, ToolsSettings
from tests.support.workbench import a_context, a_workspace
from tools.command_seal import code_seal, command_seal
from tools.python import Python
from tools.sandbox import Sandbox
from tools.shell import Shell

PLANTED = (
    "sitecustomize.py", "usercustomize.py", "random.py", "hashlib.py", "runpy.py", "encodings.py",
    "x.pth", "startup.py", ".bashrc", ".bash_profile", "env.sh", "node.js",
)  # fmt: skip
VARIABLES = {
    "PYTHONPATH": "{folder}",
    "PYTHONHOME": "{folder}",
    "PYTHONSTARTUP": "{folder}/startup.py",
    "PYTHONUSERBASE": "{folder}",
    "BASH_ENV": "{folder}/env.sh",
    "ENV": "{folder}/env.sh",
    "NODE_OPTIONS": "--require={folder}/node.js",
    "GIT_CONFIG_GLOBAL": "{folder}/gitconfig",
    "GIT_EXTERNAL_DIFF": "{folder}/bin/ls",
    "LD_PRELOAD": "",
    "PATH": ".:{folder}/bin::bin:/usr/bin:/bin",
}


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that plants all it can, and an environment that points there; it notes what ran."""
    folder = (tmp_path / "project").resolve()
    (folder / "bin").mkdir(parents=True)
    noted = f"{tmp_path}/ran"
    for name in PLANTED:
        note = f"open({noted!r}, 'a').write({name!r})" if ".py" in name else f"echo x >>{noted}"
        (folder / name).write_text(f"import sys; {note}" if name == "x.pth" else note)
    for name in ("ls", "git", "python3", "cat", "true"):
        (folder / "bin" / name).write_text(f"#!/bin/sh\necho {name} >>{noted}\n")
        (folder / "bin" / name).chmod(0o755)
    subprocess.run(["/usr/bin/git", "init", "-q", str(folder)], check=True)
    config = f'[core]\n\tfsmonitor = "echo fsmonitor >>{noted}; false"\n\thooksPath = .git/hooks\n'
    with (folder / ".git/config").open("a") as file:
        file.write(config)
    (folder / "gitconfig").write_text(config)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value.format(folder=folder))
    monkeypatch.chdir(folder)
    return folder


async def ran(kind: type[Shell] | type[Python], folder: Path, **given: str) -> str:
    settings = ToolsSettings(sandbox=SandboxChoice.NONE)
    tool = kind(settings, Sandbox(settings))
    context = a_context(a_workspace(folder, own=False), approved=True)
    return (await tool.run(tool.arguments.model_validate(given), context)).text


@pytest.mark.process
async def test_approved_code_runs_and_nothing_planted_beside_it(hostile: Path):
    """Without a sandbox what was shown runs as the person, and nothing else in the folder does."""
    code = "import random, hashlib\nprint(6 * 7, random.random() < 1, __name__, __file__[-3:])"
    assert "42 True __main__ .py" in await ran(Python, hostile, code=code)
    assert "42" in await ran(Shell, hostile, command="echo $((6*7))")
    await ran(Shell, hostile, command="ls; cat /dev/null; true; git status; git diff")
    await ran(Shell, hostile, command="python3 -c 'print(6*7)'")
    assert not (hostile.parent / "ran").exists()


@pytest.mark.process
async def test_modules_of_the_workspace_are_found_and_named(tmp_path: Path):
    """They stand behind the standard library, and a yes is bound to those the program names."""
    (tmp_path / "bats").mkdir()
    (tmp_path / "bats/__init__.py").write_text("import bats.noctule_bats as deep\nname = 'pip'")
    (tmp_path / "bats/noctule_bats.py").write_text("")
    code = "from bats import name\nimport bats.noctule_bats, json\nprint(name)"
    assert "pip" in await ran(Python, tmp_path, code=code)
    before = code_seal(code, tmp_path)
    assert set(before) == {"the code", "file bats/__init__.py", "file bats/noctule_bats.py"}
    (tmp_path / "bats/__init__.py").write_text("name = 'fox'")
    assert changes(before, code_seal(code, tmp_path)) == "bats/__init__.py changed"
    failed = await ran(Python, tmp_path, code="print(1)\n1/0")
    assert "line 2, in <module>" in failed
    assert "1/0" in failed
    assert "SyntaxError" in await ran(Python, tmp_path, code="x = = 1")
    assert "the code" in code_seal("(" * 5000, tmp_path)


def test_what_git_runs_by_itself_is_part_of_what_is_allowed(hostile: Path):
    """A hook or a setting that comes later is a change."""
    before = command_seal("git commit -m x", hostile)
    (hostile / ".git/hooks/pre-commit").write_text("#!/bin/sh\n")
    with (hostile / ".git/config").open("a") as file:
        file.write("[core]\n\tsshCommand = evil\n")
    after = command_seal("git commit -m x", hostile)
    assert changes(before, after) == ".git/hooks/pre-commit is new, .git/config changed"


def test_no_character_that_shows_as_nothing_is_left_unspelt():
    """The whole class of default-ignorable characters, everything invisible, every direction."""
    ignorable = [
        *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), *range(0xE0000, 0xE0080),
        *range(0x180B, 0x1810), *range(0x200B, 0x2010),
        *range(0x202A, 0x202F), *range(0x2060, 0x2070),
        0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, 0xFEFF, 0x2800, 0x1D173,
    ]  # fmt: skip
    left = [
        hex(code) for code in ignorable if chr(code) in in_plain_sight(f"a{chr(code)}b", most=99)
    ]
    assert left == []
    unseen = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        and chr(code) not in "\n\t"
    ]
    assert set(in_plain_sight("a".join(unseen), most=10**6)).isdisjoint(unseen)


def test_marks_are_shown_on_letters_and_spelt_in_heaps():
    """An accent is an accent; forty of them cover the lines above."""
    assert in_plain_sight("e\u0301te\u0301", most=99) == "e\u0301te\u0301"
    assert in_plain_sight("a" + "\u0335" * 40, most=999).count("\\u0335") == 38
    assert in_plain_sight("rm \u20e0x", most=99) == "rm \\u20e0x"


def test_letters_of_other_scripts_in_a_command_are_counted_and_named():
    """What looks like ASCII and is not would be another program, or no quotation mark."""
    assert odd_letters("ls -l 'a b'") is None
    assert odd_letters("gr\u0435p x") == (
        "1 character is not ASCII: U+0435 CYRILLIC SMALL LETTER IE."
    )
    many = odd_letters("".join(map(chr, range(0x430, 0x438))) * 200)
    assert many.startswith("1,600 characters are not ASCII: U+0430 CYRILLIC SMALL LETTER A, ")
    assert many.endswith(" and 3 more kinds.")
