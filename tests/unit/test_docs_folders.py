import pytest

from docs import folders


@pytest.fixture
def checkout(tmp_path):
    """A checkout with one folder, whose README has a list to be filled."""
    folder = tmp_path / "agents"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text('"""All of them."""\n')
    (folder / "owl.py").write_text('"""Says ``hoo`` | hoo.\n\nMore.\n"""\n')
    (folder / "inner/__init__.py").write_text('"""Deeper."""\n')
    (folder / "README.md").write_text(f"# agents\n\n{folders.BEGIN}\n{folders.END}\n\nThe end.\n")
    (folder / "inner/README.md").write_text("# by hand\n")
    return tmp_path


def test_a_list_is_written_between_its_marks(checkout):
    """Files and packages are listed by their first sentence; what stands around stays."""
    assert folders.main([], checkout) == 0
    text = (checkout / "agents/README.md").read_text()
    assert "| `owl.py` | Says `hoo` \\| hoo |\n" in text
    assert "| [`inner/`](inner/README.md) | Deeper |\n" in text
    assert text.startswith("# agents\n")
    assert text.endswith("\n\nThe end.\n")
    assert "__init__" not in text
    assert (checkout / "agents/inner/README.md").read_text() == "# by hand\n"


def test_check_finds_a_file_that_is_not_listed(checkout, capsys):
    """--check ends with 1 and names the README, also after a file came; writing cures it."""
    assert folders.main(["--check"], checkout) == 1
    assert "agents/README.md" in capsys.readouterr().err
    assert folders.main([], checkout) == 0
    assert folders.main(["--check"], checkout) == 0
    (checkout / "agents/bat.py").write_text('"""Flies."""\n')
    assert folders.main(["--check"], checkout) == 1
