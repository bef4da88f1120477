import stat
from concurrent.futures import ThreadPoolExecutor

from pydantic import SecretStr

from noctule.models.base.fingerprint import Fingerprints


def test_a_fingerprint_tells_keys_apart_and_does_not_hold_them():
    """The same key gives the same one, another key another, and none gives an empty one."""
    prints = Fingerprints(b"salt")
    assert prints.of("sk-one") == prints.of(SecretStr("sk-one"))
    assert prints.of("sk-one") != prints.of("sk-two")
    assert "sk-one" not in prints.of("sk-one")
    assert (prints.of(None), prints.of("")) == ("", "")


def test_another_installation_makes_another_fingerprint(tmp_path):
    """So nobody can compare databases or try out keys."""
    one = Fingerprints.of_installation(tmp_path / "a" / "salt")
    two = Fingerprints.of_installation(tmp_path / "b" / "salt")
    assert one.of("sk-one") != two.of("sk-one")


def test_the_salt_is_made_once_and_kept_private(tmp_path):
    """Later processes read what the first one made, and only the owner may."""
    path = tmp_path / "salt"
    first = Fingerprints.of_installation(path)
    assert first.of("k") == Fingerprints.of_installation(path).of("k")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["salt"]


def test_processes_that_start_together_agree(tmp_path):
    """The first salt wins, whoever else was making one."""
    path = tmp_path / "salt"
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: Fingerprints.of_installation(path).of("k"), range(64)))
    assert len(set(made)) == 1


def test_an_empty_salt_file_is_made_anew(tmp_path):
    """A crash of another program must not leave us without a salt."""
    path = tmp_path / "salt"
    path.touch()
    assert Fingerprints.of_installation(path).of("k") != Fingerprints(b"").of("k")
