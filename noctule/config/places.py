"""Where the configuration and the data folder are."""

from collections.abc import Mapping
from pathlib import Path

from noctule.core.tools.workspace_registry import CONFIG, FILE, is_given

PACKAGE = Path(__file__).resolve().parents[1]


def named_config(option: Path | None, *, environ: Mapping[str, str], cwd: Path) -> Path | None:
    """Return the configuration that ``--config`` or ``NOCTULE_CONFIG`` names; None without a name.

    Args:
        option: what ``--config`` said; None when it was not given.
        environ: the environment variables; an empty ``NOCTULE_CONFIG`` counts as unset.
        cwd: the folder relative paths start from.
    """
    named = option or environ.get("NOCTULE_CONFIG") or None
    return None if named is None else cwd / Path(named).expanduser()


def project_config(cwd: Path) -> Path | None:
    """Return the ``config.yaml`` of a folder, whoever's it is; None when there is none."""
    here = cwd / CONFIG
    return here if here.is_file() else None


def user_config(*, environ: Mapping[str, str]) -> Path:
    """Return where a person's own configuration is, or would be.

    Args:
        environ: the environment variables; an ``XDG_CONFIG_HOME`` that is empty or not absolute
            counts as unset, as the XDG Base Directory specification says.
    """
    base = environ.get("XDG_CONFIG_HOME", "")
    if Path(base).is_absolute():
        return Path(base) / "noctule" / CONFIG
    from platformdirs import user_config_path  # noqa: PLC0415 - most calls name the file

    return user_config_path("noctule", appauthor=False) / CONFIG


def given_to_agents(found: Path, home: Path) -> bool:
    """Return whether a configuration counts only when it is named: an agent may have written it.

    Args:
        found: the file.
        home: the data folder; it need not exist.
    """
    try:
        given = (home / FILE).read_text(encoding="utf-8")
    except OSError:
        return False
    return is_given(given, found.resolve().parent)


def packaged_default() -> Path:
    """Return the configuration that came with Noctule.

    In an installed wheel it lies in the package; in a checkout it is the one at the top.
    """
    bundled = PACKAGE / "config.default.yaml"
    return bundled if bundled.is_file() else PACKAGE.parent / "config.yaml"


def packaged_template(name: str) -> Path | None:
    """Return a chat template that came along, by its name; None when there is none of that name."""
    if not name.replace("-", "").isalnum():
        return None
    bundled = PACKAGE / f"templates/{name}.jinja"
    found = bundled if bundled.is_file() else PACKAGE.parent / f"examples/templates/{name}.jinja"
    return found if found.is_file() else None


def packaged_demo() -> Path:
    """Return the configuration of the demo, found like the packaged default."""
    bundled = PACKAGE / "config.demo.yaml"
    return bundled if bundled.is_file() else PACKAGE.parent / "examples/configs/demo.yaml"


def packaged_service(name: str) -> Path:
    """Return a file for a service manager, found like the packaged default."""
    bundled = PACKAGE / "services" / name
    return bundled if bundled.is_file() else PACKAGE.parent / "examples/services" / name


def packaged_docs() -> Path:
    """Return the folder of guides and references, found like the packaged default."""
    bundled = PACKAGE / "docs"
    return bundled if bundled.is_dir() else PACKAGE.parent / "docs"


def find_home(*, environ: Mapping[str, str], cwd: Path) -> Path:
    """Return the data folder, absolute; it is not made.

    Args:
        environ: the environment variables; an empty ``NOCTULE_HOME`` counts as unset.
        cwd: the folder a relative ``NOCTULE_HOME`` starts from.
    """
    named = environ.get("NOCTULE_HOME")
    if named:
        return (cwd / Path(named).expanduser()).resolve()
    from platformdirs import user_data_path  # noqa: PLC0415 - most calls name the folder

    return user_data_path("noctule", appauthor=False)
