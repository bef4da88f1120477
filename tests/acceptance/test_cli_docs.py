from pathlib import Path

import pytest
from click.testing import CliRunner

from noctule.cli.main import program
from tests.support.command_line import CommandLine

ROOT = Path(__file__).parents[2]


def read(*words: str) -> tuple[int, str]:
    """Run `noctule docs` and return its exit code and what it printed."""
    done = CliRunner().invoke(program, ["docs", *words])
    return done.exit_code, done.output


def test_every_guide_and_reference_is_listed_and_shown():
    """Each page is there under its name, as it stands in the repository."""
    code, listed = read()
    assert code == 0
    assert read("tutorial") == (0, (ROOT / "docs/tutorial.md").read_text())
    pages = [*(ROOT / "docs/guides").glob("*.md"), *(ROOT / "docs/reference").glob("*.md")]
    wrong = []
    for page in pages:
        topic = page.stem if page.parent.name == "guides" else f"reference/{page.stem}"
        if f"\n{topic} " not in f"\n{listed}" or read(topic) != (0, page.read_text()):
            wrong.append(topic)
    assert (wrong, bool(pages)) == ([], True)


def test_a_page_may_be_named_by_its_path():
    """As the README and other pages name it."""
    assert read("docs/guides/tools.md") == read("tools")


@pytest.mark.parametrize(
    ("topic", "said"), [("telegrm", "Did you mean telegram?"), ("../architecture", "no page")]
)
def test_a_page_that_does_not_exist_is_a_sentence(tmp_path: Path, topic: str, said: str) -> None:
    """It says what comes close, and nothing leads out of the folder."""
    done = CommandLine(tmp_path).run("docs", topic)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
