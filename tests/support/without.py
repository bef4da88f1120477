"""A Python in which some packages are not installed, as without the extras.

``without(folder, "xllamacpp")`` gives what to add to a process's environment: its Python neither
finds the modules nor the metadata of those distributions.
"""

from pathlib import Path

_CUSTOMIZE = """
import sys
from importlib import metadata

HIDDEN = {hidden!r}
for name in HIDDEN:
    sys.modules[name] = None

_version, _files = metadata.version, metadata.files

def version(name):
    if name in HIDDEN:
        raise metadata.PackageNotFoundError(name)
    return _version(name)

def files(name):
    if name in HIDDEN:
        raise metadata.PackageNotFoundError(name)
    return _files(name)

metadata.version, metadata.files = version, files
"""


def without(folder: Path, *hidden: str) -> dict[str, str]:
    """Return the variables of an environment that lacks these.

    Args:
        folder: where the file goes that does it; made when missing.
        hidden: names of modules and of distributions.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(_CUSTOMIZE.format(hidden=hidden), encoding="utf-8")
    return {"PYTHONPATH": str(folder)}
