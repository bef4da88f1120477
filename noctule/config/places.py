"""Where the configuration and the data folder are."""

from collections.abc import Mapping
from pathlib import Path

from noctule.core.given_folders import FILE, is_given

PACKAGE = Path(__file__).resolve().parents[1]


def find_config(option: Path | None, *, environ: Mapping[str, str], cwd: Path) -> Path:
    """Return the configuration to read: ``--config``, ``NOCTULE_CONFIG``, ``./config.yaml``,
    else the packaged default. A named one need not exist; reading it then says so.

    Args:
        option: what ``--config`` said; None when it was not given.
        environ: the environment variables; an empty ``NOCTULE_CONFIG`` counts as unset.
        cwd: the folder relative paths start from.
    """  # noqa: D205 - the order is one sentence
    named = option or environ.get("NOCTULE_CONFIG") or None
    if named is not None:
        return cwd / Path(named).expanduser()
    here = cwd / "config.yaml"
    return here if here.is_file() else packaged_default()


def needs_a_name(found: Path, home: Path) -> bool:
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
