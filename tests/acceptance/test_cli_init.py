import pytest

from noctule.config import load_text
from tests.support.provider import FakeModel, Provider
from tests.support.shell import Shell
from tests.support.terminal import terminal

pytestmark = pytest.mark.process

SECRET = "a-key-that-is-never-written"
NOBODY = "127.0.0.1:9"


def shell_without_config(folder, **env):
    """Return a shell that sees no key and no Ollama but those given."""
    shell = Shell(folder, None, OLLAMA_HOST=NOBODY, **env)
    shell.env.pop("NOCTULE_CONFIG", None)
    for name in [name for name in shell.env if name.endswith("_API_KEY")]:
        if name not in env:
            shell.env.pop(name, None)
    return shell


def own(folder):
    """Return where a person's own configuration is; its folder is made."""
    path = folder / ".config/noctule/config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


async def test_what_is_there_becomes_a_configuration_that_loads(tmp_path):
    """Ollama's models and the variable of a key, not its value, stand in the file."""
    async with Provider(models=[FakeModel("qwen3.5:latest")]) as provider:
        env = {"OPENAI_API_KEY": SECRET}
        shell = shell_without_config(tmp_path, **env)
        done = await shell("init", "--yes", OLLAMA_HOST=provider.url)
    assert done.code == 0, done
    assert "qwen3.5:latest" in done.err
    assert "`noctule doctor` to check it, `noctule chat` to start." in done.out
    text = own(tmp_path).read_text()
    assert SECRET not in text + done.out + done.err
    settings = load_text(text, environ=env, folder=tmp_path, file="config.yaml")
    assert settings.models[settings.roles.chat.primary].name == "qwen3.5:latest"
    assert settings.roles.research.primary == "quick"


async def test_with_nothing_there_the_packaged_model_is_proposed(tmp_path):
    """The file works on a bare machine, and the command says why it is what it is."""
    shell = shell_without_config(tmp_path)
    done = await shell("init", "--json")
    assert (done.code, done.json["models"], done.json["endpoints"]) == (0, ["smol"], ["embedded"])
    assert "ollama serve" in done.err
    assert (await shell("models", "--json")).json[0]["kind"] == "embedded"


async def test_a_file_that_is_there_is_kept(tmp_path):
    """Without --force nothing is replaced; --path writes beside it; a folder is no file."""
    shell = shell_without_config(tmp_path)
    own(tmp_path).write_text("mine")
    kept = await shell("init", "--yes", "--json")
    assert (kept.code, "Replace it with --force" in kept.json["error"]) == (2, True)
    assert own(tmp_path).read_text() == "mine"
    beside = await shell("init", "--path", "sub/other.yaml")
    assert f"noctule --config {tmp_path}/sub/other.yaml chat" in beside.out
    assert (tmp_path / "sub/other.yaml").is_file()
    assert (await shell("init", "--path", "sub")).code == 2
    assert "config.yaml.1.bak" in (await shell("init", "--force")).out
    assert "embedded" in own(tmp_path).read_text()
    assert (await shell("init", "--force", "--json")).json["kept"].endswith("config.yaml.2.bak")
    assert own(tmp_path).with_name("config.yaml.1.bak").read_text() == "mine"
    assert [path.name for path in own(tmp_path).parent.glob(".config*")] == []


def test_a_person_is_asked_what_only_they_can_decide(tmp_path):
    """On a terminal it asks before replacing a file, then the open questions; answers count."""
    shell = shell_without_config(tmp_path, OPENAI_API_KEY=SECRET)
    own(tmp_path).write_text("mine")
    with terminal(["init"], env=shell.env, cwd=tmp_path) as person:
        person.wait_for("Replace it?")
        person.type("y\r")
        person.wait_for("Which hosted service for everything?")
        person.type("openai\r")
        person.wait_for("How many US dollars")
        person.type("2.50\r")
        person.wait_for("press Enter to skip the bot")
        person.type("\r")
        person.wait_for("Wrote")
        assert person.ended() == 0
    text = own(tmp_path).read_text()
    assert "usd: 2.50" in text
    assert SECRET not in text


def test_a_person_may_keep_the_file(tmp_path):
    """Saying no leaves the file as it was and ends as a usage error."""
    shell = shell_without_config(tmp_path)
    own(tmp_path).write_text("mine")
    with terminal(["init"], env=shell.env, cwd=tmp_path) as person:
        person.wait_for("Replace it?")
        person.type("n\r")
        person.wait_for("left as it is")
        assert person.ended() == 2
    assert own(tmp_path).read_text() == "mine"
