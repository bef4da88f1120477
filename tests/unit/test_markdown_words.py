"""Answers in Markdown: every word that is no markup reaches the phone and the terminal."""

import re
from collections.abc import Callable, Sequence
from io import StringIO
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from noctule.channels.telegram.delivery.outgoing import TEXT_UNITS, split, units
from noctule.channels.telegram.delivery.splitting import MOST_ENTITIES
from noctule.channels.terminal.screens.reply import ReplyMarkdown
from tests.support.fuzzing import examples

_BORDERS = re.compile(r"[\s│─┼━┃╇▌•]+")
_SCRIPTS = ("word", "слово", "词语", "كلمة", "שלום", "शब्द", "คำ", "λέξη", "mot", "x")

Words = Callable[[], str]


def phone(markdown: str) -> str:
    """Return what a phone shows, message after message."""
    return "\n".join(text for text, _ in split(markdown))


def terminal(markdown: str, width: int) -> str:
    """Return what a terminal shows."""
    console = Console(file=StringIO(), width=width, force_terminal=False, color_system=None)
    console.print(ReplyMarkdown(markdown))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def squeezed(text: str) -> str:
    """Return a text without white space and the signs tables and quotes are drawn with."""
    return _BORDERS.sub("", text)


def missing(markdown: str, words: Sequence[str]) -> list[tuple[str, str]]:
    """Return the words that do not arrive, and where."""
    shown = {"phone": phone(markdown)} | {
        f"terminal {width}": terminal(markdown, width) for width in (40, 80, 200)
    }
    return [
        (where, word)
        for where, text in shown.items()
        for word in words
        if squeezed(word) not in squeezed(text)
    ]


def a_document(random: Random) -> tuple[str, list[str]]:
    """Return a document of many kinds of blocks, and its words; none of them comes twice."""
    words: list[str] = []

    def w() -> str:
        words.append(f"{random.choice(_SCRIPTS)}{len(words)}q")
        return words[-1]

    blocks = [random.choice(_BLOCKS)(w, random) for _ in range(random.randint(1, 8))]
    return "\n\n".join(blocks), words


def _inline(w: Words, random: Random) -> str:
    return random.choice(_INLINES)(w)


def _prose(w: Words, random: Random) -> str:
    return random.choice((" ", " ", "\n", ", ")).join(_inline(w, random) for _ in range(5))


_INLINES: Sequence[Callable[[Words], str]] = (
    lambda w: w(),
    lambda w: f"<{w()}>",
    lambda w: f"</{w()}>",
    lambda w: f'<{w()} {w()}="{w()}"/>',
    lambda w: f"scp <{w()}> <{w()}>@<{w()}>:{w()}",
    lambda w: f"{w()}<{w()}>",
    lambda w: f"{w()}<{w()}, {w()}<{w()}>>",
    lambda w: f"{w()}<{w()} and {w()}>{w()}",
    lambda w: f"{w()} <= {w()} && {w()} >= {w()}",
    lambda w: f"/{w()}/{w()}.py",
    lambda w: f"C:\\{w()}\\{w()}",
    lambda w: f"__{w()}__",
    lambda w: f"**{w()}** *{w()}* ~~{w()}~~ `{w()}`",
    lambda w: f"`<{w()}>` ``{w()} ` {w()}``",
    lambda w: f"[{w()}](https://example.org)",
    lambda w: f'[{w()}]({w()}.md "{w()}")',
    lambda w: f"![{w()}](https://example.org/p.png)",
    lambda w: f"<{w()}@example.org>",
    lambda w: f"<!-- {w()} -->",
    lambda w: f"[{w()}][{w()}] [^{w()}]",
    lambda w: f"${w()} and ${w()}",
    lambda w: rf"\({w()}\) \[{w()}\] $${w()}$$",
    lambda w: f"#{w()} @{w()} |{w()}| ~{w()}~",
    lambda w: f"{w()}&lt;{w()}&gt;",
)


def _table(w: Words, random: Random) -> str:
    width = random.randint(1, 5)
    pipe = random.choice(("|", ""))
    if width == 1:
        pipe = "|"
    rows = [f"{pipe}{' | '.join(w() for _ in range(width))}{pipe}"]
    rows.append(f"{pipe}{'|'.join(['---'] * width)}{pipe}")
    for _ in range(random.randint(1, 4)):
        cells = [random.choice(("{}", "`{}`", "<{}>")).format(w()) for _ in range(width)]
        cells += [w() for _ in range(random.choice((0, 0, 1, 3)))]
        rows.append(f"{pipe}{' | '.join(cells)}{pipe}")
    return "\n".join(rows)


_BLOCKS: Sequence[Callable[[Words, Random], str]] = (
    _prose,
    _prose,
    lambda w, r: f"{'#' * r.randint(1, 6)} {_inline(w, r)}",
    lambda w, r: f"{w()}\n{r.choice('-=') * 4}",
    lambda w, r: f"<div>\n{_prose(w, r)}\n</div>",
    lambda w, r: f"<details><summary>{w()}</summary>\n{w()}\n</details>",
    lambda w, r: f"<!--\n{w()}\n-->\n{w()}",
    lambda w, r: f"<?{w()} {w()}?>",
    lambda w, r: f"<!DOCTYPE {w()}>",
    lambda w, r: f"<![CDATA[{w()}]]>",
    lambda w, r: f"<script>\n{w()}\n\n{w()}\n</script>",
    lambda w, r: f"<pre>{w()}\n\n{w()}</pre>",
    lambda w, r: f"[{w()}]: https://example.org\n[^{w()}]: {w()}",
    lambda w, r: "\n".join(f"> {_inline(w, r)}" for _ in range(3)),
    lambda w, r: f"> > {_inline(w, r)}\n> - {_inline(w, r)}",
    lambda w, r: "\n".join(f"- {r.choice(('', '[ ] ', '[x] '))}{_inline(w, r)}" for _ in range(3)),
    lambda w, r: "\n".join(f"{n}. {_inline(w, r)}\n   - {_inline(w, r)}" for n in (3, 7, 8)),
    lambda w, r: f"- {w()}\n\n  {w()}\n\n      {w()}\n  - {w()}\n\n    > {w()}",
    lambda w, r: f"```{r.choice(('', 'python', 'html'))}\n<{w()}>\n{w()}  {w()}\n```",
    lambda w, r: f"~~~ text {w()}\n{w()}\n~~~",
    lambda w, r: f"```\n{w()}",
    lambda w, r: f"    {w()} <{w()}>",
    _table,
    lambda w, r: "---",
)


@given(st.randoms(use_true_random=False))
@settings(max_examples=examples(60))
def test_every_word_reaches_phone_and_terminal(random: Random) -> None:
    """Whatever it stands in: HTML, generics, paths, comparisons, tables, fences, any script."""
    markdown, words = a_document(random)
    assert missing(markdown, words) == [], markdown


@given(st.text("<>[]()*_#|-+=.!:;\\/\n \"'$@^ab1é中", max_size=120))
@settings(max_examples=examples(300))
def test_whatever_signs_stand_between_words_the_words_arrive_in_order(markdown: str) -> None:
    """No letter is lost, added or moved on the phone; none is lost on a terminal."""
    letters = re.sub(r"[\W_]", "", markdown)
    shown = re.sub(r"[\W_]", "", phone(markdown)) if markdown.strip() else ""
    assert sorted(shown) == sorted(letters) or _counted(markdown), (markdown, phone(markdown))
    on_terminal = terminal(markdown, 80)
    assert not [one for one in letters if one not in on_terminal]


def _counted(markdown: str) -> bool:
    """Whether there is a list whose numbers are counted anew, like ``1. 1. 1.``."""
    return len(re.findall(r"1[.)]", markdown)) > 1


def test_what_looks_like_a_tag_is_text() -> None:
    """Commands with placeholders, generics, comparisons and HTML, as models answer."""
    samples = [
        "scp <file> <user>@<host>",
        "It returns a List<int> or Vec<String>; use it if a<b and c>d.",
        "<div>\nThis paragraph stands in a div.\n</div>",
        "<details><summary>More</summary>\nfolded text\n</details>",
        "Put <title> inside <head>.",
        "git checkout <branch> && git push <remote> <branch>",
        "Map<String, List<Integer>> m = new HashMap<>();",
        "std::vector<std::pair<int, int>> v; if (x < 3 && y > 4)",
        "<b>html</b> and <br/> and <img src=x>",
        "curl -X POST https://example.org/<id>?q=<term>",
        '<input type="text" disabled>',
        "<kbd>Ctrl</kbd>+<kbd>C</kbd>",
        "42.",
    ]
    wrong = [
        (where, sample)
        for sample in samples
        for where, shown in (("phone", phone(sample)), ("terminal", terminal(sample, 100)))
        if squeezed(sample) not in squeezed(shown)
    ]
    assert wrong == []


def test_only_signs_the_model_wrote_stand_in_an_answer() -> None:
    """Headings get no pictures, open todos no ticks, lists keep their numbers."""
    text = "# Plan\n\n## Next\n\n- [ ] open\n- [x] done\n\n5. five\n9. nine"
    assert phone(text) == "Plan\n\nNext\n\n• [ ] open\n• [x] done\n\n5. five\n\n9. nine"


def test_what_is_no_address_is_no_link() -> None:
    """A relative path is shown; names of files and folders are not taken for sites and commands."""
    ((text, entities),) = split("See [the guide](docs/x.md), README.md, src/main.py and /etc.")
    shown = text.encode("utf-16-le")

    def of(entity: dict[str, object]) -> str:
        start, length = int(str(entity["offset"])), int(str(entity["length"]))
        return shown[2 * start : 2 * (start + length)].decode("utf-16-le")

    assert text == "See the guide (docs/x.md), README.md, src/main.py and /etc."
    assert [(e["type"], of(e)) for e in entities] == [
        ("code", "README.md"),
        ("code", "src/main.py"),
        ("code", "/etc"),
    ]


@given(st.randoms(use_true_random=False), st.integers(5, 60))
@settings(max_examples=examples(25))
def test_every_part_of_a_long_answer_is_one_telegram_takes(random: Random, blocks: int) -> None:
    """Within length and number of marks, each mark within its text, no character taken apart."""
    documents = [a_document(random)[0] for _ in range(blocks)]
    family = "👩‍👩‍👧‍👦"
    documents.insert(random.randint(0, blocks), family * random.randint(1, 900))
    parts = split("\n\n".join(documents))
    wrong: list[Any] = []
    for number, (text, entities) in enumerate(parts):
        end = units(text)
        borders = [(e["offset"], e["offset"] + e["length"]) for e in entities]
        if not text.strip() or end > TEXT_UNITS or len(entities) > MOST_ENTITIES:
            wrong.append((number, end, len(entities)))
        if any(not 0 <= start < stop <= end for start, stop in borders):
            wrong.append((number, "a mark outside"))
        if text.startswith("‍") or text.endswith("‍") or text.replace(family, "").count("👩"):
            wrong.append((number, "a family taken apart"))
    assert wrong == []


def test_no_heading_ends_a_part() -> None:
    """A heading stands with what it is the heading of."""
    sections = [f"## Heading {n}\n\n{'lorem ipsum ' * 40}" for n in range(40)]
    parts = split("\n\n".join(sections))
    assert len(parts) > 3
    assert [text for text, _ in parts if text.rstrip().splitlines()[-1].startswith("Head")] == []


def test_more_marks_than_telegram_keeps_make_more_messages() -> None:
    """Telegram drops what is beyond a hundred without a word: all are kept."""
    parts = split(" ".join(f"**b{n}** and `c{n}`" for n in range(150)))
    assert sum(len(entities) for _, entities in parts) == 300
    assert len(parts) == 4


def test_a_table_too_wide_for_the_terminal_is_told_row_by_row() -> None:
    """No cell is cut: where its words do not fit side by side, each stands on its own line."""
    table = "| key | value |\n|---|---|\n| one | " + "x" * 60 + " |\n| two | y |"
    assert terminal(table, 40).count("x") == 60
    assert "key: two" in terminal(table, 40)
    assert "key" in terminal(table, 120).splitlines()[1]


def test_a_link_within_a_link_shows_where_it_leads() -> None:
    """Telegram keeps one of two links over the same words; code within a link stays unmarked."""
    ((text, entities),) = split("[![badge](https://b.io/x.png) `code`](https://a.io)")
    assert text == "🖼 badge (https://b.io/x.png) code"
    assert [(e["type"], e["length"]) for e in entities] == [("text_link", units(text))]


def test_an_indentation_longer_than_a_message_is_no_empty_message() -> None:
    """Telegram refuses a message without a visible character, and the rest would not come."""
    code = f"```\n{' ' * 2 * TEXT_UNITS}deep\n```"
    assert [text.strip() for text, _ in split(code)] == ["deep"]


def test_broken_formulas_and_fences_without_code_lose_no_word() -> None:
    """What is no proper LaTeX stands as it was written; a language of no code is words."""
    samples = {
        r"\[\frac{{loose\]": ["loose"],
        r"\(x^2 + \frac{a}{b}\)": ["x² + a/b"],
        "~~~yes~~~": ["yes"],
        "```ls -la": ["ls", "-la"],
    }
    lost = {
        markdown: shown
        for markdown, words in samples.items()
        for shown in (phone(markdown), terminal(markdown, 40))
        if not all(word in shown for word in words)
    }
    assert lost == {}
    assert phone("a\n\n```py\n```\n\nb").split() == ["a", "b"]
