import datetime as dt
import html

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from telegram import Chat, Message, MessageEntity
from telegram.helpers import escape_markdown

from tests.support.telegram.formatting import formatted
from tests.support.telegram.marks import units
from tests.support.telegram.refusals import Refusal
from tests.support.telegram.transcript import marked_up

# Letters that begin no mention, command or link, and all that is markup somewhere.
LETTERS = st.text(alphabet="ab ü😀_*[]()~`>+-=|{}!<&\"'\\\n", max_size=40)
WORDS = st.text(alphabet="abcü😀.*_<&", min_size=1, max_size=6)
OUTER = ("bold", "italic", "underline", "strikethrough", "spoiler")


@given(LETTERS)
def test_what_is_escaped_comes_out_as_it_was(text):
    """python-telegram-bot's and Python's own escaping keep every character in both modes."""
    plain = text.strip(" \n")
    assert formatted(escape_markdown(text, version=2), "MarkdownV2", [])[0] == plain
    assert formatted(html.escape(text, quote=False), "HTML", [])[0] == plain


@given(
    st.lists(st.tuples(WORDS, st.sampled_from([*OUTER, "code", "pre", None])), min_size=1),
    st.sampled_from(OUTER),
)
def test_what_the_library_marks_up_is_read_back(pieces, around):
    """A message that python-telegram-bot writes as HTML or Markdown has the same entities again."""
    kinds = {around, *(kind for _, kind in pieces)}
    assume(not {"italic", "underline"} <= kinds)  # three underscores can be read in two ways
    text, entities = "", []
    for word, kind in pieces:
        if kind not in (None, around):
            entities.append(MessageEntity(kind, units(text), units(word)))
        text += f"{word} - "
    text += "end"
    if not any(entity.type in ("code", "pre") for entity in entities):
        entities.insert(0, MessageEntity(around, 0, units(text)))
    sent = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    message = Message(1, sent, Chat(1, "private"), text=text, entities=entities)
    expected = {(entity.type, entity.offset, entity.length) for entity in entities}
    for source, mode in ((message.text_html, "HTML"), (message.text_markdown_v2, "MarkdownV2")):
        parsed, found = formatted(source, mode, [])
        assert parsed == text
        assert {(e["type"], e["offset"], e["length"]) for e in found} == expected


@given(st.text(alphabet="<>/abip&;=\"'_*`[]()\\>|!\n ", max_size=30))
def test_any_markup_is_parsed_or_refused(source):
    """No markup makes the parsers fail in another way; entities lie within the text."""
    for mode in ("HTML", "MarkdownV2"):
        text, entities, refused = "", [], None
        try:
            text, entities = formatted(source, mode, [])
        except Refusal as refusal:
            refused = refusal.description
        assert refused is None or refused.startswith("Bad Request: can't parse entities: ")
        assert all(0 <= e["offset"] < e["offset"] + e["length"] <= units(text) for e in entities)


@pytest.mark.parametrize(
    ("source", "mode", "text", "entity"),
    [
        (">one\n>two\nend", "MarkdownV2", "one\ntwo\nend", {"type": "blockquote"}),
        ("**>one\n>two||", "MarkdownV2", "one\ntwo", {"type": "expandable_blockquote"}),
        ("<blockquote expandable>x</blockquote>", "HTML", "x", {"type": "expandable_blockquote"}),
        ("[a](https://x.example)", "MarkdownV2", "a", {"url": "https://x.example/"}),
        ("<a href='x.example'>a</a>", "HTML", "a", {"url": "http://x.example/"}),
        ("<a href='tg://user?id=7'>a</a>", "HTML", "a", {"type": "text_mention"}),
        ("```rs\nfn```", "MarkdownV2", "fn", {"type": "pre", "language": "rs"}),
        ('<span class="tg-spoiler">x</span>', "HTML", "x", {"type": "spoiler"}),
        ("![x](tg://emoji?id=5)", "MarkdownV2", "x", {"custom_emoji_id": "5"}),
        ("&#128512;&quot;&nbsp;<b>x</b>", "HTML", '😀"&nbsp;x', {"type": "bold", "offset": 9}),
    ],
)
def test_all_the_documented_markup_is_understood(source, mode, text, entity):
    """Quotations, links, mentions, code with a language, spoilers, emoji and references."""
    parsed, found = formatted(source, mode, [])
    assert parsed == text
    assert entity.items() <= found[0].items()


@pytest.mark.parametrize(
    ("entity", "why"),
    [
        ({"type": "bold", "offset": 1, "length": 1}, "begins in a middle of a UTF-16 symbol"),
        ({"type": "bold", "offset": 0, "length": 1}, "ends in a middle of a UTF-16 symbol"),
        ({"type": "bold", "offset": -1, "length": 1}, "incorrect offset -1"),
        ({"type": "sparkle", "offset": 0, "length": 2}, "Unsupported type specified"),
        ({"type": "text_link", "offset": 0, "length": 2, "url": "x"}, "Wrong HTTP URL"),
    ],
)
def test_entities_that_make_no_sense_are_refused(entity, why):
    """Entities that cut a character, are of no known type or lead nowhere are refused."""
    with pytest.raises(Refusal, match=why):
        formatted("😀", "", [entity])


def test_a_transcript_shows_formatting():
    """Formatted text is written down as Markdown."""
    text, entities = formatted("<b>a</b> <code>b</code> <pre>c</pre>", "HTML", [])
    assert marked_up(text, entities) == "**a** `b` ```\nc\n```"
