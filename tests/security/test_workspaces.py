"""Which folders agents are given: a project, and nothing that holds what nobody may read."""

import subprocess
import sys
from pathlib import Path

import pytest

from noctule.core.errors import UsageError
from noctule.sessions.service.workspaces import accepted_workspace
from tools.base.workspace import PathError, open_workspace

KEYS = [".ssh", ".gnupg", ".aws", ".config", ".config/google-chrome/Default", ".mozilla/firefox/x",
        ".kube", ".docker", ".password-store", ".local/share/keyrings", "Library/Keychains",
        ".cargo", ".m2", ".gradle", ".minikube", ".subversion", ".local/bin", ".vscode", ".purple",
        ".thunderbird/p", ".var/app/org.mozilla.firefox", "snap/firefox/common"]  # fmt: skip
SYSTEM = ["/", "/etc", "/etc/ssl", "/proc", "/proc/self", "/sys", "/dev", "/dev/shm", "/var/lib",
          "/var/lib/dpkg", "/var/log", "/usr", "/usr/lib", "/usr/local", "/bin", "/run", "/boot",
          "/var", "/home", "/opt", "/srv"]  # fmt: skip


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a project and a data folder in it."""
    home = tmp_path / "somebody"
    (home / "project").mkdir(parents=True)
    (home / ".local/share/noctule/workspaces/x").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    return home


def data(person: Path) -> Path:
    return person / ".local/share/noctule"


def is_refused(folder: Path | str, person: Path) -> bool:
    """Ask both who take a folder in and who open it; they agree."""
    refused = []
    try:
        accepted_workspace(str(folder), data(person))
        refused.append(False)
    except UsageError:
        refused.append(True)
    try:
        open_workspace(data(person), "s", Path(folder), most_bytes=1)
        refused.append(False)
    except PathError:
        refused.append(True)
    assert len(set(refused)) == 1, refused
    return refused[0]


@pytest.mark.parametrize("name", KEYS)
def test_folders_of_keys_and_profiles_are_no_workspaces(name: str, person: Path):
    """Nor is anything in them, by whatever path: a link, dots, a link above it."""
    folder = person / name
    (folder / "below").mkdir(parents=True)
    (person / "project/link").symlink_to(folder)
    above = person / "elsewhere"
    above.symlink_to(folder.parent)
    for path in (
        folder,
        folder / "below",
        person / "project/link",
        person / "project/link/below",
        f"{person}/project/../{name}",
        f"{person}/project/../{name}/below/..",
        above / folder.name / "below",
    ):
        assert is_refused(path, person), path


@pytest.mark.parametrize("path", [path for path in SYSTEM if Path(path).is_dir()])
def test_the_system_is_no_workspace(path: str, person: Path):
    """Neither its folders nor what is in them."""
    assert is_refused(path, person)


def test_a_home_its_parents_and_the_data_folder_are_no_workspaces(person: Path):
    """Nor what lies in the data folder."""
    home = data(person)
    (person / "link").symlink_to(home)
    assert is_refused(person, person)
    assert is_refused(person.parent, person)
    assert is_refused(home, person)
    assert is_refused(home.parent, person)
    assert is_refused(home.parent.parent, person)
    assert is_refused(home / "workspaces", person)
    assert is_refused(person / "link", person)


@pytest.mark.parametrize(
    "name",
    [
        "id_rsa",
        "id_ed25519",
        "key4.db",
        "Login Data",
        ".netrc",
        ".git-credentials",
        ".ssh",
        ".bash_history",
    ],
)
def test_a_folder_that_holds_keys_is_no_workspace(name: str, person: Path):
    """Whatever it is called: a copy of a home, a profile, a folder of keys."""
    folder = person / "copy"
    folder.mkdir()
    assert not is_refused(folder, person)
    (folder / name).touch()
    assert is_refused(folder, person)


@pytest.mark.parametrize("name", [".local", ".local/share", ".var"])
def test_what_holds_a_folder_of_keys_is_no_workspace(name: str, person: Path, tmp_path: Path):
    """Also where the data folder is elsewhere."""
    assert accepted_workspace(str(person / "project"), tmp_path / "data") is not None
    for keys in (".local/share/keyrings", ".var/app"):
        (person / keys).mkdir(parents=True)
    with pytest.raises(UsageError, match="holds more than a project"):
        accepted_workspace(str(person / name), tmp_path / "data")


def test_projects_are_workspaces(person: Path):
    """Also in folders of a home whose names begin with a dot, and below one of the system's."""
    for name in ("project", ".dotfiles", "src/a/b", ".local/src/x", "Documents/x"):
        (person / name).mkdir(parents=True, exist_ok=True)
        assert not is_refused(person / name, person), name


def test_a_home_below_var_lib_has_projects(person: Path, monkeypatch: pytest.MonkeyPatch):
    """As that of a service has; its keys are as closed as anybody's."""
    from noctule.core.tools import forbidden_workspaces as no_workspaces  # noqa: PLC0415 - its list is changed here

    monkeypatch.setattr(no_workspaces, "_SYSTEM", (str(person.parent),))
    (person / ".ssh").mkdir()
    assert not is_refused(person / "project", person)
    assert is_refused(person / ".ssh", person)
    outside = person.parent / "other"
    outside.mkdir()
    assert is_refused(outside, person)


def test_a_second_mount_is_the_same_folder(person: Path, tmp_path: Path):
    """A home or a folder of keys that is mounted elsewhere too is known by what it is."""
    keys, there = person / ".ssh", tmp_path / "there"
    (keys / "deep").mkdir(parents=True)
    there.mkdir()
    script = 'mount --bind "$1" "$2" && exec "$3" -c "$4" "$2" "$5"'
    code = (
        "import sys, pathlib;"
        "from noctule.core.tools.forbidden_workspaces import refusal, overlaps;"
        "f, home = map(pathlib.Path, sys.argv[1:]);"
        "print([bool(refusal(p, home)) for p in (f, f / 'deep')])"
    )
    words = ["unshare", "-rm", "sh", "-c", script, "sh", str(keys), str(there)]
    done = subprocess.run(
        [*words, sys.executable, code, str(person)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and "mount" in done.stderr + "unshare":
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()[:100]}")
    assert done.stdout.strip() == "[True, True]"
