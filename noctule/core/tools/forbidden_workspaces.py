"""No workspaces: folders that are nobody's project and hold what no agent may be given.

Folders are compared by what they are (device and inode), so that neither a link nor another
spelling on a disk that does not tell cases apart, nor a second mount of one, leads into them.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_SYSTEM = (
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/nix", "/proc", "/run",
    "/sbin", "/sys", "/usr", "/lost+found", "/var/backups", "/var/cache", "/var/db", "/var/lib",
    "/var/log", "/var/mail", "/var/run", "/var/spool", "/snap", "/Applications", "/Library",
    "/System", "/private/etc", "/private/var/db", "/private/var/root",
)  # fmt: skip
"""What the machine lives on: neither these nor anything in them is a project."""

_PROJECTS_WITHIN = ("/usr/src", "/usr/local/src", "/run/media")
"""Exceptions: what lies in one of these may be a project."""

_WIDE = (
    "/home", "/mnt", "/media", "/opt", "/root", "/srv", "/var", "/Users", "/Volumes", "/private",
)  # fmt: skip
"""They hold projects, and are none."""

_PRIVATE = (
    ".aws", ".azure", ".cert", ".config", ".docker", ".gcloud", ".gnupg", ".kube", ".mozilla",
    ".oci", ".password-store", ".pki", ".putty", ".ssh", ".terraform.d", ".thunderbird", ".tor",
    ".var/app", ".vault-token", ".local/share/keyrings", ".local/share/kwalletd",
    ".local/share/gnupg", ".local/share/pass", ".local/state", ".bitcoin", ".ethereum", ".electrum",
    ".1password", ".bitwarden", ".claude", ".codex", ".gemini", "snap", "Library", ".aliyun",
    ".android", ".ansible", ".cargo", ".cursor", ".fly", ".gradle", ".jupyter", ".local/bin", ".m2",
    ".minikube", ".purple", ".step", ".subversion", ".vscode", ".vscode-server",
)  # fmt: skip
"""In a home: keys, profiles of browsers, mail, wallets, what programs are configured by or load."""

_ANYWHERE = frozenset({".aws", ".gnupg", ".password-store", ".ssh"})
"""In anybody's home."""

_DOCUMENTS = "Library/Mobile Documents"
"""Where iCloud keeps a person's documents, below a folder that is none."""

_GIVEAWAYS = frozenset({
    ".aws", ".bash_history", ".git-credentials", ".gnupg", ".my.cnf", ".netrc", ".pgpass",
    ".pypirc", ".ssh", ".vault-token", ".zsh_history", "adbkey", "cert9.db", "Cookies",
    "cookies.sqlite",
    "id_dsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_rsa", "key4.db",
    "Login Data", "login.keychain-db", "logins.json", "private-keys-v1.d", "secring.gpg",
    "wallet.dat",
})  # fmt: skip
"""Names that only the home of somebody, a folder of keys, or a profile of a browser has in it."""

_Identity = tuple[int, int]


def refusal(folder: Path, persons_home: Path) -> str | None:
    """Return why no agent may have a folder, a sentence; None when it may be a project.

    Args:
        folder: absolute, symlinks resolved; it exists.
        persons_home: of whoever runs Noctule.
    """
    about = [folder, *folder.parents]
    chain = [identity for path in about if (identity := _identity(path)) is not None]
    home = persons_home.resolve()
    wide = [Path(folder.anchor), home, *home.parents, *map(Path, _WIDE)]
    private = [home / name for name in _PRIVATE]
    wide += [above for path in private if path.exists() for above in path.parents]
    if _any_is(chain[:1], wide):
        return (
            f"{folder} holds more than a project, keys and passwords among it, so it is no "
            "workspace. Name the folder of the project."
        )
    named_so = not _ANYWHERE.isdisjoint(folder.parts)
    if (named_so or _any_is(chain, private)) and not _any_is(chain[1:], [home / _DOCUMENTS]):
        return (
            f"{folder} is where keys, profiles or the configuration of programs are kept, so it is "
            "no workspace. Copy what the agents need into a folder of its own."
        )
    if not _is_project_of(chain, home) and _any_is(chain, map(Path, _SYSTEM)):
        return (
            f"{folder} belongs to the system of this machine, so it is no workspace. Name the "
            "folder of the project."
        )
    found = sorted(_GIVEAWAYS.intersection(_names(folder)))
    if found:
        return (
            f"{folder} holds {found[0]}, so keys or passwords, and is no workspace. Move that "
            "elsewhere, or name another folder."
        )
    return None


def overlaps(folder: Path, home: Path) -> bool:
    """Return whether a folder lies in the data folder, is it, or holds it, by whatever name.

    Args:
        folder: absolute, symlinks resolved.
        home: the data folder; it need not exist.
    """
    home = home.resolve()
    if folder.is_relative_to(home) or home.is_relative_to(folder):
        return True
    return _any_is(map(_identity, [folder, *folder.parents]), [home]) or _any_is(
        [_identity(folder)], home.parents
    )


def _is_project_of(chain: list[_Identity], home: Path) -> bool:
    """Say whether a folder below one of the system's is a person's all the same."""
    return _any_is(chain[1:], [home, *map(Path, _PROJECTS_WITHIN)])


def _any_is(chain: Iterable[_Identity | None], others: Iterable[Path]) -> bool:
    known = {_identity(other) for other in others} - {None}
    return any(identity in known for identity in chain)


def _identity(path: Path) -> _Identity | None:
    with suppress(OSError, ValueError):
        about = path.stat()
        return about.st_dev, about.st_ino
    return None


def _names(folder: Path) -> Iterator[str]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            yield entry.name
