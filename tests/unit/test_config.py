from pathlib import Path

import pytest

from noctule.config import Loaded, find_home, load, packaged_default, require_telegram
from noctule.core.errors import ConfigError, Problem

SOUND = """\
endpoints:
  local: {kind: ollama}
  cloud: {kind: anthropic, key: "${ANTHROPIC_API_KEY}"}
models:
  qwen: {endpoint: local, name: "qwen3.5:latest"}
  haiku: {endpoint: cloud, name: claude-haiku-4-5}
roles:
  chat: {primary: qwen}
  orchestrator: {primary: qwen}
  engineer: {primary: qwen}
  research: {primary: qwen}
  writer: {primary: qwen}
  utility: {primary: qwen}
"""
SECRET = "sk-ant-api03-THIS-MUST-NEVER-BE-SHOWN-0123456789"


def load_text(folder: Path, text: str | bytes, **environ: str) -> Loaded:
    file = folder / "noctule.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(file, environ=environ, cwd=folder)


def problems_of(folder: Path, text: str | bytes, **environ: str) -> dict[str, Problem]:
    with pytest.raises(ConfigError) as caught:
        load_text(folder, text, **environ)
    assert caught.value.exit_code == 2
    assert len({problem.path for problem in caught.value.problems}) == len(caught.value.problems)
    return {problem.path: problem for problem in caught.value.problems}


def test_packaged_default_is_the_top_file_in_a_checkout():
    """In a checkout the default is the config.yaml at the top, and it exists."""
    assert packaged_default() == Path(__file__).resolve().parents[2] / "config.yaml"
    assert packaged_default().is_file()


def test_home_is_the_variable_else_the_platforms_folder(tmp_path):
    """The data folder is NOCTULE_HOME, made absolute, else the platform's user data folder."""
    assert find_home(environ={"NOCTULE_HOME": "data"}, cwd=tmp_path) == tmp_path / "data"
    platform = find_home(environ={"NOCTULE_HOME": ""}, cwd=tmp_path)
    assert platform.is_absolute()
    assert platform.name == "noctule"


def test_loading_makes_nothing_and_reads_no_dotenv(tmp_path):
    """Loading neither makes the data folder nor takes variables from a .env file."""
    (tmp_path / ".env").write_text("ANTHROPIC_API_KEY=from-the-file\n")
    loaded = load_text(tmp_path, SOUND, NOCTULE_HOME=str(tmp_path / "home"))
    assert loaded.home == tmp_path / "home"
    assert not loaded.home.exists()
    assert loaded.settings.endpoints["cloud"].key is None


def test_key_is_required_only_where_a_role_may_use_it(tmp_path):
    """A missing or empty key matters once any model of its endpoint is bound to a role."""
    loaded = load_text(tmp_path, SOUND, ANTHROPIC_API_KEY="")
    assert [problem.path for problem in loaded.absent] == ["endpoints.cloud.key"]
    for binding in (
        "primary: haiku",
        "primary: qwen, fallback: haiku",
        "primary: qwen, escalate: haiku",
    ):
        text = SOUND.replace("writer: {primary: qwen", f"writer: {{{binding}")
        found = problems_of(tmp_path, text, ANTHROPIC_API_KEY="  ")
        assert list(found) == ["endpoints.cloud.key"]
        problem = found["endpoints.cloud.key"]
        assert problem.line == 3
        assert "ANTHROPIC_API_KEY" in problem.message
        assert "export ANTHROPIC_API_KEY=" in problem.fix
        assert "writer" in problem.fix
        assert load_text(tmp_path, text, ANTHROPIC_API_KEY="k1").settings.endpoints["cloud"].key


def test_missing_variable_elsewhere_is_a_problem(tmp_path):
    """A variable in an address or the storage url is always needed, bound or not."""
    text = SOUND + 'storage: {url: "${DATABASE}"}\n'
    text = text.replace("kind: ollama", 'kind: ollama, url: "http://${HOST}:11434"')
    assert list(problems_of(tmp_path, text)) == ["endpoints.local.url", "storage.url"]
    loaded = load_text(tmp_path, text, HOST="10.0.0.9", DATABASE="postgresql://u:p@h/d")
    assert loaded.settings.endpoints["local"].url == "http://10.0.0.9:11434"
    assert loaded.settings.storage.is_postgres


def test_missing_address_is_not_taken_for_a_missing_key(tmp_path):
    """An endpoint whose address is missing is reported for that alone."""
    text = SOUND.replace("{kind: ollama}", '{kind: openai, url: "${VLLM_URL}"}')
    assert list(problems_of(tmp_path, text)) == ["endpoints.local.url"]


def test_telegram_token_is_required_only_when_the_bot_starts(tmp_path):
    """Loading forgives a missing token; starting the bot does not, and says which variable."""
    text = SOUND + 'telegram: {token: "${TELEGRAM_BOT_TOKEN}"}\n'
    loaded = load_text(tmp_path, text)
    with pytest.raises(ConfigError, match="TELEGRAM_BOT_TOKEN"):
        require_telegram(loaded)
    with pytest.raises(ConfigError, match="BotFather"):
        require_telegram(load_text(tmp_path, SOUND))
    assert require_telegram(load_text(tmp_path, text, TELEGRAM_BOT_TOKEN="1:a")).token is not None


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ('"${ANTHROPIC_API_KEY}"', SECRET, "endpoints.cloud.key"),
        ('"${ANTHROPIC_API_KEY}"', "$ANTHROPIC_API_KEY", "endpoints.cloud.key"),
        ('"${ANTHROPIC_API_KEY}"', f"prefix-{SECRET}", "endpoints.cloud.key"),
        ("kind: ollama", f"kind: ollama, url: 'http://h/?k={SECRET}'", "endpoints.local.url"),
        (
            "kind: ollama",
            f"kind: ollama, headers: {{X-A: {SECRET}}}",
            "endpoints.local.headers.X-A",
        ),
        ("endpoints:", f"telegram: {{token: '7234567:{SECRET}'}}\nendpoints:", "telegram.token"),
        (
            "endpoints:",
            f"storage: {{url: 'postgresql://me:{SECRET}@h/d'}}\nendpoints:",
            "storage.url",
        ),
    ],
)
def test_secret_in_the_file_is_refused_and_not_repeated(tmp_path, old, new, path):
    """A key, token or password written into the file is refused without being printed."""
    found = problems_of(tmp_path, SOUND.replace(old, new), ANTHROPIC_API_KEY="other")
    assert path in found
    assert "${" in found[path].fix
    assert "THIS-MUST-NEVER" not in str(list(found.values()))


@pytest.mark.parametrize(
    "text",
    [
        SOUND.replace("name: claude-haiku-4-5", f"name: claude-haiku-4-5, {SECRET}: 1"),
        SOUND.replace("kind: anthropic,", f"kind: {SECRET},"),
        SOUND.replace("chat: {primary: qwen}", f"chat: {{primary: {SECRET}}}"),
        SOUND.replace("chat: {primary: qwen}", f"chat: {{primary: *{SECRET}}}"),
        SOUND.replace("chat: {primary: qwen}", f"chat: !{SECRET} {{primary: qwen}}"),
        SOUND + f"limits: {{queue_timeout: {SECRET}}}",
    ],
)
def test_secret_in_a_wrong_place_is_not_repeated(tmp_path, text):
    """Whatever is wrong with a file, its error never shows what looks like a key."""
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, text)
    shown = f"{caught.value} {caught.value!r} {caught.value.problems!r} {caught.value.__cause__!r}"
    assert "THIS-MUST-NEVER" not in shown


def test_values_of_variables_are_shown_by_their_names(tmp_path):
    """An error about a value that came from a variable names the variable instead."""
    text = SOUND.replace("chat: {primary: qwen}", 'chat: {primary: "${MODEL}"}')
    message = str(problems_of(tmp_path, text, MODEL="hunter2-hunter2")["roles.chat.primary"])
    assert "hunter2" not in message
    assert "${MODEL}" in message


def test_no_secret_in_a_repr(tmp_path):
    """The repr of what was loaded holds no key, token or database password."""
    text = SOUND + 'storage: {url: "${DATABASE}"}\ntelegram: {token: "${TOKEN}"}\n'
    environ = {
        "ANTHROPIC_API_KEY": SECRET,
        "TOKEN": "1:tttttt",
        "DATABASE": "postgresql://u:pppppp@h/d",
    }
    loaded = load_text(tmp_path, text, **environ)
    for value in environ.values():
        assert value not in repr(loaded)
        assert value not in str(loaded.settings)
    key = loaded.settings.endpoints["cloud"].key
    assert key is not None
    assert key.get_secret_value() == SECRET


def test_everything_wrong_is_said_at_once(tmp_path):
    """Unknown keys, wrong types, missing names and variables come together, in the file's order."""
    text = """\
timezone: Europe/Berln
endpoints:
  local: {kind: ollama, ulr: x}
  cloud: {kind: anthropic, key: "${ANTHROPIC_API_KEY}"}
  cloud: {kind: openai}
models:
  qwen: {endpoint: lokal, name: 3, context: 16k}
  haiku: {endpoint: cloud, name: claude-haiku-4-5}
roles:
  chat: {primary: qwen, fallback: gemma, max_concurrent: 0}
  orchestrator: {primary: qwen, fallback: qwen}
  engineer: {primary: haiku, fallback: [qwen, qwen]}
  research: nothing
  utilty: {primary: qwen}
limits: {queue_timeout: 30 parsecs, call_timeout: 0s}
"""
    found = problems_of(tmp_path, text)
    assert {path: problem.line for path, problem in found.items()} == {
        "timezone": 1,
        "endpoints.local.ulr": 3,
        "endpoints.cloud.key": 4,
        "endpoints.cloud": 5,
        "models.qwen.endpoint": 7,
        "models.qwen.name": 7,
        "models.qwen.context": 7,
        "roles.writer": 9,
        "roles.utility": 9,
        "roles.chat.fallback": 10,
        "roles.chat.max_concurrent": 10,
        "roles.orchestrator.fallback": 11,
        "roles.engineer.fallback": 12,
        "roles.research": 13,
        "roles.utilty": 14,
        "limits.queue_timeout": 15,
        "limits.call_timeout": 15,
    }
    lines = [problem.line for problem in found.values()]
    assert lines == sorted(lines)
    assert "did you mean 'url'" in found["endpoints.local.ulr"].fix
    assert "did you mean 'local'" in found["models.qwen.endpoint"].fix
    assert "did you mean 'utility'" in found["roles.utilty"].fix
    assert "first defined on line 4" in found["endpoints.cloud"].message


def test_messages_are_ours(tmp_path):
    """No sentence of pydantic, no address of its and no Python type reaches the person."""
    text = SOUND + "limits: {queue_timeout: x, max_steps: many, circuit_failures: 0}\ntelegram: 5\n"
    text = text.replace("kind: ollama}", "kind: ollama, slots: 2.5, headers: [a], local: perhaps}")
    shown = " ".join(str(problem) for problem in problems_of(tmp_path, text).values()).lower()
    for foreign in ("pydantic", "input should", "valid ", "timedelta", "dict", "int_", "nonetype"):
        assert foreign not in shown
    for problem in problems_of(tmp_path, text).values():
        assert problem.message.endswith(".")
        assert problem.fix.endswith((".", "?"))
        assert str(problem).startswith(
            f"{tmp_path / 'noctule.yaml'}:{problem.line}: {problem.path}: "
        )


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", None, "empty"),
        ("# nothing but words\n", None, "empty"),
        ("{}", None, "empty"),
        ("- a\n- b\n", 1, "no keys"),
        ("just words", 1, "no keys"),
        ("endpoints: {a: 1\nmodels:", 2, "not valid YAML"),
        ("a: 1\n\tb: 2\n", 2, "not valid YAML"),
        ("a: 1\n---\nb: 2\n", 2, "not valid YAML"),
        (b"a: 1\nb: \xff\xfe\n", 2, "UTF-8"),
        (b"a: \x00", None, "characters"),
        ("[" * 5000, None, "nested too deep"),
        ("a" * 1_000_001, None, "longer than"),
    ],
)
def test_unreadable_files_say_where(tmp_path, text, line, says):
    """A file that is no configuration at all is one problem with its line."""
    (problem,) = problems_of(tmp_path, text).values()
    assert problem.path == ""
    assert problem.line == line
    assert says in problem.message


def test_missing_file_and_folder_are_said(tmp_path):
    """A named file that is missing or a folder is one problem, and nothing else is used instead."""
    for path, says in ((tmp_path / "none.yaml", "no such file"), (tmp_path, "directory")):
        with pytest.raises(ConfigError, match=says):
            load(path, environ={}, cwd=tmp_path)


def test_aliases_and_merges_are_read(tmp_path):
    """A part may be written once and used again, and own keys go before merged ones."""
    text = SOUND.replace("chat: {primary: qwen}", "chat: &base {primary: qwen, thinking: false}")
    text = text.replace("writer: {primary: qwen}", "writer: {<<: *base, thinking: true}")
    roles = load_text(tmp_path, text).settings.roles
    assert (roles.writer.primary, roles.writer.thinking) == ("qwen", True)
    assert roles.chat.thinking is False


@pytest.mark.parametrize(
    "text", ["a: &a [*a]", "a: &a {b: *a}", "\n".join(
        ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n-1}, *a{n-1}, *a{n-1}]" for n in range(1, 30))]
    )],
)  # fmt: skip
def test_circles_of_aliases_end(tmp_path, text):
    """Aliases that lead round in a circle, or grow without end, are a problem and no hang."""
    assert "circle" in str(list(problems_of(tmp_path, text).values()))


def test_plain_words_keep_their_meaning(tmp_path):
    """Times of day and words like no stay text; only true and false are switches."""
    text = SOUND + "parking: {quiet_hours: [22:00, 07:30]}\n"
    text = text.replace("qwen: {endpoint", "no: {endpoint").replace("primary: qwen", "primary: no")
    settings = load_text(tmp_path, text).settings
    assert settings.parking.quiet_hours == ("22:00", "07:30")
    assert settings.roles.chat.primary == "no"


def test_a_wrong_permission_is_told_which_there_are(tmp_path):
    """Whoever writes what is no permission reads the three that are."""
    problems = problems_of(tmp_path, f"{SOUND}tools: {{permissions: {{fetch: no}}}}\n")
    assert "keys with allow, ask or deny" in problems["tools.permissions"].message


def test_empty_sections_mean_their_defaults(tmp_path):
    """A section whose entries are all commented out is as good as absent."""
    assert load_text(tmp_path, SOUND + "telegram:\nlimits:\n").settings.limits.max_steps == 30


def test_dollar_signs(tmp_path):
    """A doubled dollar stands for itself, and a reference that is no name is a problem."""
    text = SOUND.replace('"qwen3.5:latest"', '"$${x} $y"')
    assert load_text(tmp_path, text).settings.models["qwen"].name == "${x} $y"
    for wrong in ("${}", "${a b}", "${a", "${1a}", "${A:-b}"):
        found = problems_of(tmp_path, SOUND.replace('"qwen3.5:latest"', f'"{wrong}"'))
        assert "does not contain a variable's name" in found["models.qwen.name"].message


def test_paths_start_at_the_configuration(tmp_path):
    """Relative files of an endpoint start at the configuration's folder and must exist."""
    text = SOUND.replace("kind: ollama", "kind: scripted, script: replies.yaml")
    found = problems_of(tmp_path, text)
    assert "no file" in found["endpoints.local.script"].message
    (tmp_path / "replies.yaml").touch()
    loaded = load_text(tmp_path, text)
    assert loaded.settings.endpoints["local"].script == tmp_path / "replies.yaml"
    text = text.replace("script: replies.yaml", "chat_template: calls.jinja")
    assert "no file" in problems_of(tmp_path, text)["endpoints.local.chat_template"].message


def test_a_chat_template_that_came_along_is_known_by_its_name(tmp_path):
    """A file of that name beside the configuration goes before it."""
    text = SOUND.replace("kind: ollama", "kind: embedded, chat_template: fenced-json")
    loaded = load_text(tmp_path, text)
    found = loaded.settings.endpoints["local"].chat_template
    assert found is not None
    assert "```json" in found.read_text(encoding="utf-8")
    (tmp_path / "fenced-json").write_text("{{ messages }}", encoding="utf-8")
    loaded = load_text(tmp_path, text)
    assert loaded.settings.endpoints["local"].chat_template == (tmp_path / "fenced-json")


def test_yamls_own_words_are_whole_and_hold_nothing_of_the_file(tmp_path):
    """What is said of a syntax error can be read, names the slip, and shows no value."""
    cases = {
        "a: {b: hunter2 c: d}\n": "expected ',' or '}', but got ':'",
        "a: [hunter2, 2\nb: 3\n": "expected ',' or ']', but got ':'",
        "a: {b: c, 'hunter2 e' f}\n": "expected ',' or '}', but got '<scalar>'",
        'a: "hunter2" b\n': "expected <block end>, but found '<scalar>'",
        "a: 'hunter2's'\n": "expected <block end>, but found '<scalar>'",
        "a: *hunter2\n": "starts with *",
        "a: !hunter2!b c\n": "tags (!)",
        "a: &hunter2 1\nb: &hunter2 2\n": "same name after &",
        "a: @hunter2\n": "a character that YAML keeps for itself",
        "a: `hunter2\n": "a character that YAML keeps for itself",
        "a: %hunter2\n": "a character that YAML keeps for itself",
        "a:\n\thunter2: 1\n": "a tab",
        "a: hunter2: c\n": "a second colon",
        "a: 'hunter2\n": "never closed",
        'a: "\\hunter2"\n': "unknown escape character 'h'",
        "a: hunter2\n---\nb: 2\n": "several documents",
    }
    wrong = {}
    for text, words in cases.items():
        (problem,) = problems_of(tmp_path, text).values()
        said = f"{problem.message} {problem.fix}"
        if words not in said or "hunter2" in said or problem.line is None:
            wrong[text] = said
    assert wrong == {}


def test_words_that_come_close_are_asked_about(tmp_path):
    """Kinds, modes, scopes, names and keys: what was meant is said, for each of them."""
    text = SOUND + "default_role: writter\nroute_by: rule\ntools: {sandbx: none}\n"
    text = text.replace("kind: ollama", "kind: Ollma").replace(
        "chat: {primary: qwen", ("chat: {primary: qwenn, on_limit: prak")
    )
    found = {path: problem.fix for path, problem in problems_of(tmp_path, text).items()}
    expected = {
        "endpoints.local.kind": "ollama",
        "default_role": "writer",
        "route_by": "rules",
        "tools.sandbx": "sandbox",
        "roles.chat.primary": "qwen",
        "roles.chat.on_limit": "park",
    }
    assert {path: word for path, word in expected.items() if f"'{word}'" not in found[path]} == {}
    text = SOUND.replace("kind: ollama", "kind: openrouter")
    assert "write openai" in problems_of(tmp_path, text)["endpoints.local.kind"].fix
