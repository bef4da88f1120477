"""Which configuration is used, and who has to be asked first."""

import json
import stat
from pathlib import Path

import pytest

from noctule.config import load, packaged_default
from noctule.config.project import Project, read_project
from noctule.config.trust import FILE, TrustStore
from noctule.config.which_file import Origin, choose
from noctule.core.errors import ConfigError, UsageError
from noctule.sessions.service.workspaces import accepted_workspace

OURS = """\
endpoints:
  here: {kind: ollama}
  there: {kind: openai, url: "https://models.example/v1", key: "${SOME_KEY}"}
models: {one: {endpoint: here, name: one}}
roles: {chat: {primary: one}}
tools:
  folder: ./own
  sandbox: none
  permissions: {"shell:git *": allow, web: ask}
  mcp: {notes: {command: [notes-server, --fast, "a b"], permission: allow}}
telegram: {base_url: "https://bots.example/bot"}
"""

FOREIGN = {
    "a static site": "title: Mine\nbaseURL: https://example.org\n",
    "Jekyll, with a tab": "title:\tMine\n",
    "LiteLLM": "model_list:\n  - model_name: gpt\n    litellm_params: {model: openai/gpt}\n",
    "Continue": "name: Mine\nmodels:\n  - {name: a, provider: ollama, roles: [chat]}\n",
    "LibreChat": "version: 1.2.1\nendpoints:\n  custom: []\n",
    "a list": "- a\n- b\n",
    "a word": "hello\n",
    "empty": "",
    "only comments": "# nothing\n",
    "a template": "{{ range .Site }}\nendpoints: {{ . }}\n",
    "no text": "\ufeff\x00\x01",
    "several documents": "a: 1\n---\nb: 2\n",
    "tags": "root: !Ref Thing\nother: !!python/object/apply:os.system [echo]\n",
    "lists of our names": "endpoints: []\nmodels: []\nroles: []\n",
}


@pytest.fixture
def place(tmp_path):
    """A folder to stand in, a data folder, and an environment with neither of them taken up."""
    folder = tmp_path / "project"
    folder.mkdir()
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "xdg"), "NOCTULE_HOME": str(tmp_path / "home")}
    return folder, tmp_path / "home", environ


def own_file(environ):
    """Write the person's own configuration and return its path."""
    path = Path(environ["XDG_CONFIG_HOME"]) / "noctule/config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(packaged_default().read_text())
    return path


def test_what_is_named_goes_first_then_trusted_then_ones_own_then_the_packaged(place):
    """--config, NOCTULE_CONFIG, a trusted ./config.yaml, the person's own, the packaged one."""
    folder, home, environ = place

    def chosen(option=None, **more):
        found = choose(option, environ={**environ, **more}, cwd=folder, home=home)
        return found.path, found.origin

    assert chosen() == (packaged_default(), Origin.PACKAGED)
    own = own_file(environ)
    assert chosen() == (own, Origin.USER)
    here = folder / "config.yaml"
    here.write_text(OURS)
    assert chosen() == (own, Origin.USER)
    TrustStore.of(home).remember(here, here.read_bytes(), trusted=True)
    assert chosen() == (here, Origin.PROJECT)
    assert chosen(NOCTULE_CONFIG="variable.yaml") == (folder / "variable.yaml", Origin.NAMED)
    assert chosen(NOCTULE_CONFIG="") == (here, Origin.PROJECT)
    option = here.with_name("option.yaml")
    assert chosen(option, NOCTULE_CONFIG="variable.yaml") == (option, Origin.NAMED)


def test_a_relative_folder_for_configurations_counts_as_unset(place):
    """A relative XDG_CONFIG_HOME would be a folder of wherever one stands."""
    folder, home, environ = place
    (folder / "xdg/noctule").mkdir(parents=True)
    (folder / "xdg/noctule/config.yaml").write_text(OURS)
    found = choose(None, environ={**environ, "XDG_CONFIG_HOME": "xdg"}, cwd=folder, home=home)
    assert not found.path.is_relative_to(folder)


def test_files_of_other_programs_break_nothing_and_are_not_asked_about(place):
    """A config.yaml that is not Noctule's is passed over, whatever is in it."""
    folder, home, environ = place
    own = own_file(environ)
    asked = []
    wrong = []
    for name, text in FOREIGN.items():
        (folder / "config.yaml").write_text(text)
        found = choose(None, environ=environ, cwd=folder, home=home, ask=asked.append)
        if (found.path, found.warning, found.notice) != (own, None, None):
            wrong.append(name)
    assert (wrong, asked) == ([], [])


def test_a_broken_file_of_ours_is_asked_about_like_a_sound_one(place):
    """A mistake in a person's own configuration does not make it another program's."""
    folder, _, _ = place
    here = folder / "config.yaml"
    for text in (OURS, OURS + "  : {\n", OURS.replace("roles:", "rolls:"), f"\ufeff{OURS}"):
        here.write_text(text)
        assert read_project(here) == text.encode()


def test_an_unknown_project_file_is_not_used_where_nobody_can_be_asked(place):
    """Its person's own is used instead, and one sentence says how the project's would be."""
    folder, home, environ = place
    own = own_file(environ)
    (folder / "config.yaml").write_text(OURS)
    found = choose(None, environ=environ, cwd=folder, home=home)
    assert found.path == own
    assert "noctule trust" in found.warning
    assert "--config" in found.warning
    assert not home.exists()


def test_an_answer_is_remembered_until_the_file_changes(place):
    """Yes and no both hold for this content; another content is asked about again, and so told."""
    folder, home, environ = place
    here = folder / "config.yaml"
    asked = []

    def chosen(answer):
        def ask(project):
            asked.append(project.changed)
            return answer

        return choose(None, environ=environ, cwd=folder, home=home, ask=ask)

    here.write_text(OURS)
    assert chosen(True).origin is Origin.PROJECT
    assert chosen(False).origin is Origin.PROJECT
    here.write_text(OURS + "# more\n")
    refused = chosen(False)
    assert (refused.origin, "said no" in refused.warning) == (Origin.PACKAGED, True)
    assert chosen(True).origin is Origin.PACKAGED
    here.write_text(OURS)
    assert chosen(None).origin is Origin.PACKAGED
    assert asked == [False, True, False]
    entry = json.loads((home / FILE).read_text())[str(here.resolve())]
    assert set(entry) == {"sha256", "trusted", "when", "code", "text"}
    assert stat.S_IMODE((home / FILE).stat().st_mode) == 0o600


def test_what_was_looked_at_is_what_is_used(place):
    """A file that is exchanged after the question does not take the place of what was trusted."""
    folder, _, environ = place
    here = folder / "config.yaml"
    sound = packaged_default().read_text()
    here.write_text(sound)

    def ask(project):
        here.write_text(OURS)
        return True

    loaded = load(None, environ=environ, cwd=folder, ask=ask)
    assert loaded.path == here
    assert loaded.settings.tools.folder is None


def test_a_symlink_is_trusted_for_the_file_it_leads_to(place):
    """The same file through another name is known; another file under the old name is not."""
    folder, home, environ = place
    here, other = folder / "config.yaml", folder / "real.yaml"
    other.write_text(OURS)
    here.symlink_to(other)
    TrustStore.of(home).remember(other, other.read_bytes(), trusted=True)
    assert choose(None, environ=environ, cwd=folder, home=home).origin is Origin.PROJECT
    here.unlink()
    here.write_text(OURS)
    assert choose(None, environ=environ, cwd=folder, home=home).origin is Origin.PACKAGED


def test_a_store_that_is_broken_trusts_nobody(place):
    """Junk in the store is no answer, and the next answer mends it."""
    folder, home, environ = place
    here = folder / "config.yaml"
    here.write_text(OURS)
    home.mkdir()
    for junk in (
        "",
        "[",
        "[]",
        '{"a": 1}',
        f'{{"{here}": true}}',
        f'{{"{here}": {{"trusted": 1}}}}',
    ):
        (home / FILE).write_text(junk)
        assert choose(None, environ=environ, cwd=folder, home=home).origin is Origin.PACKAGED, junk
    TrustStore.of(home).remember(here, here.read_bytes(), trusted=True)
    assert choose(None, environ=environ, cwd=folder, home=home).origin is Origin.PROJECT
    assert TrustStore.of(home).forget(here)
    assert not TrustStore.of(home).forget(here)
    assert choose(None, environ=environ, cwd=folder, home=home).origin is Origin.PACKAGED


def test_a_store_that_cannot_be_written_is_said(place):
    """The sentence names the file and another way."""
    folder, home, _ = place
    home.write_text("a file")
    with pytest.raises(UsageError, match="--config"):
        TrustStore.of(home).remember(folder / "config.yaml", b"", trusted=True)


def test_people_see_what_a_file_starts_reaches_and_allows(place):
    """Programs, folders of code, addresses, variables and permissions, with nothing hidden."""
    folder, _, _ = place
    shown = "\n".join(Project(folder / "config.yaml", OURS.encode()).consequences())
    for part in (
        "runs the Python files of the folder ./own",
        "starts the program notes-server --fast 'a b'",
        "runs commands without a sandbox",
        "allows without asking: shell:git *",
        "allows without asking: the tools of notes",
        "connects to https://models.example/v1 (endpoints.there.url)",
        "connects to https://bots.example/bot (telegram.base_url)",
        "asks the endpoint here at the usual address of ollama",
        "reads the environment variables SOME_KEY",
    ):
        assert part in shown
    assert "web" not in shown
    hidden = 'endpoints: {}\nmodels: {}\ntools: {mcp: {x: {command: [ls, "\\u202egnp", "%s"]}}}'
    shown = "\n".join(Project(folder, (hidden % ("a" * 900)).encode()).consequences())
    assert "\u202e" not in shown
    assert "not shown here" in shown
    broken = Project(folder, b"endpoints: {\nmodels: [")
    assert "not valid YAML" in "\n".join(broken.consequences())


def test_a_configuration_that_turns_up_in_a_given_folder_has_to_be_named(place):
    """An agent could have written it, and a configuration starts programs: it is not even asked."""
    folder, home, environ = place
    accepted_workspace(str(folder), home)
    here = folder / "config.yaml"
    here.write_text(packaged_default().read_text())
    with pytest.raises(ConfigError, match="appeared after agents"):
        load(None, environ=environ, cwd=folder, ask=lambda _: True)
    assert load(here, environ=environ, cwd=folder).path == here
    here.write_text("title: of another program\n")
    assert load(None, environ=environ, cwd=folder).path == packaged_default()
    here.write_text(packaged_default().read_text())
    TrustStore.of(home).remember(here, here.read_bytes(), trusted=True)
    assert load(None, environ=environ, cwd=folder).path == here


def test_a_configuration_that_was_there_before_is_taken_up_once_it_is_trusted(place):
    """The folder is on no list: the sandbox keeps agents from changing what was loaded."""
    folder, home, environ = place
    (folder / "config.yaml").write_text(packaged_default().read_text())
    accepted_workspace(str(folder), home)
    loaded = load(None, environ=environ, cwd=folder, ask=lambda _: True)
    assert (loaded.home, loaded.path) == (home, folder / "config.yaml")


def test_ones_own_configuration_in_a_folder_of_agents_has_to_be_trusted(place):
    """Whoever lets agents work in a folder around it does not let them say what Noctule starts."""
    folder, home, environ = place
    own = own_file(environ)
    accepted_workspace(environ["XDG_CONFIG_HOME"], home)
    with pytest.raises(ConfigError, match="noctule trust"):
        load(None, environ=environ, cwd=folder)
    TrustStore.of(home).remember(own, own.read_bytes(), trusted=True)
    assert load(None, environ=environ, cwd=folder).path == own
    own.write_text(f"{own.read_text()}# by an agent\n")
    with pytest.raises(ConfigError, match="noctule trust"):
        load(None, environ=environ, cwd=folder)
