"""What others write, at random, against what checks it before anything comes of it."""

import ipaddress
import json
import shlex
import socket
import unicodedata
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from noctule.core.tools.approval_text import reveal_hidden
from noctule.core.tools.shell_guises import guises, open_ends
from noctule.core.tools.shell_words import read_commands
from tests.support.fuzzing import examples
from tools.base.json_schemas import MOST_CHARS, SchemaError, plain_schema
from tools.base.tool import ToolError
from tools.web.addresses import AddressPolicy, parse_url

PLAIN_WORDS = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12
)


@given(st.lists(PLAIN_WORDS, min_size=1, max_size=5))
def test_words_that_are_quoted_are_read_as_they_are(words):
    """However odd they are, as one command that hides nothing."""
    read = read_commands(shlex.join(words))
    assert len(read.commands) == 1
    assert not read.hidden
    assert open_ends(read) == ()
    line = " ".join(words)
    assume(not line.startswith(("(", "{", "!", " ", "<", ">", "&")) and "=" not in words[0])
    assert any(line in guise or guise in line for guise in guises(read))


@given(st.text("ab -=.'\"\\\n\t;#&|", max_size=25))
@example("a\\\n#b")
@example("a '#' b")
@settings(max_examples=examples(300))
def test_a_line_that_hides_nothing_is_read_as_shlex_reads_it(text):
    """Two readers that know nothing of each other: quotes, escapes, comments, separators."""
    read = read_commands(text)
    assume(not read.hidden)
    words, commands = [], []
    try:
        lexer = shlex.shlex(text.replace("\\\n", ""), posix=True, punctuation_chars=";&|\n")
        lexer.whitespace, lexer.whitespace_split = " \t", True
        lexer.commenters = ""
        tokens = list(lexer)
    except ValueError:
        tokens = None
    assume(tokens is not None and "#" not in text)
    for token in [*tokens, ";"]:
        if token and set(token) <= set(";&|\n"):
            commands += [" ".join(words)] if words else []
            words = []
        else:
            words.append(token)
    found = {" ".join(guise.split()) for guise in guises(read)}
    wanted = {" ".join(one.split()) for one in commands}
    assert wanted - {""} <= found


@given(st.text(max_size=60))
@settings(max_examples=examples(300))
def test_nothing_invisible_remains_of_what_is_shown(text):
    """And all of it can be read back: what is spelt is spelt as Python writes it."""
    shown = reveal_hidden(text, most=10_000)
    for letter in shown:
        if letter in "\n\t ":
            continue
        assert letter.isprintable()
        assert unicodedata.category(letter) not in {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"}
        assert unicodedata.bidirectional(letter) not in {
            "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
        }  # fmt: skip
    assert all(
        not {"Mn", "Me"}.issuperset(map(unicodedata.category, (one, other, third)))
        for (one, other), (_, third) in pairwise(pairwise(shown))
    )
    if "\\" not in text and "[..." not in shown:
        assert shown.encode("ascii", "backslashreplace").decode("unicode_escape") == text or (
            _spelt_back(shown) == text
        )
    short = reveal_hidden(text, most=20)
    assert len(short) < 20 + 200


def _spelt_back(shown: str) -> str:
    """Return a text from what was shown of it."""
    found, at = [], 0
    while at < len(shown):
        size = {"\\u": 4, "\\U": 8}.get(shown[at : at + 2])
        if size is None:
            found.append(shown[at])
            at += 1
        else:
            found.append(chr(int(shown[at + 2 : at + 2 + size], 16)))
            at += 2 + size
    return "".join(found)


class AsTheSystem:
    """A resolver that reads numbers like ``getaddrinfo`` does, and knows every name."""

    async def addresses(self, host):
        try:
            return [socket.inet_ntoa(socket.inet_aton(host))]
        except OSError:
            return ["93.184.216.34"]


def _spellings(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[str]:
    """Return every way we know to write an address in a URL: 58 of an IPv4 address."""
    if isinstance(address, ipaddress.IPv6Address):
        long, short = address.exploded, address.compressed
        return [f"[{one}]" for one in (long, short, short.upper(), f"{short}%25eth0", f"{short}%1")]
    number = int(address)
    parts = list(address.packed)
    dotted = str(address)
    tail = number & 0xFFFF
    rest = number & 0xFFFFFF
    plain = [
        dotted, f"{dotted}.", str(number), hex(number), f"0{number:o}", f"0X{number:X}",
        ".".join(map(hex, parts)), ".".join(f"0{part:o}" for part in parts),
        ".".join(f"{part:03d}" for part in parts), ".".join(f"00{part:o}" for part in parts),
        f"{parts[0]}.{parts[1]}.{tail}", f"{parts[0]}.{rest}", f"{hex(parts[0])}.{rest}",
        f"{parts[0]}.0{rest:o}", f"{parts[0]}.{hex(parts[1])}.{tail}", f"{number}.",
        f"{number + 2**32}",
        f"0x{number:016x}", f"{parts[0]}.{parts[1]}.{hex(tail)}",
        "".join(f"%{ord(letter):02x}" for letter in dotted), dotted.replace(".", "%2e"),
        dotted.replace(".", "\u3002"), dotted.replace(".", "\uff0e"), dotted.replace(".", "\uff61"),
        "".join(chr(0xFF10 + int(one)) if one.isdigit() else one for one in dotted),
        "".join(chr(0x2080 + int(one)) if one.isdigit() else one for one in dotted),
        "".join(chr(0x1D7CE + int(one)) if one.isdigit() else one for one in dotted),
        "".join(chr(0x0660 + int(one)) if one.isdigit() else one for one in dotted),
        f"{dotted}%00.example.org", f"{dotted}\t", f"{dotted}%20", f"\u200b{dotted}",
        f"{dotted}\u00ad", f"user@{dotted}", f"example.org@{dotted}", f"example.org:80@{dotted}",
        f"{dotted}:80", f"{dotted}:080", f"{dotted}:", f"example.org\\@{dotted}",
        f"{dotted}#@example.org", f"{dotted}?@example.org", f"{dotted}\\.example.org",
        f"example.org%40{dotted}", f"[{dotted}]", f"+{dotted}", f"-{dotted}", f" {dotted}",
    ]  # fmt: skip
    six = [
        f"::ffff:{dotted}", f"::ffff:{number >> 16:x}:{tail:x}", f"::{dotted}",
        f"::ffff:0:{dotted}",
        f"64:ff9b::{dotted}", f"64:ff9b:1::{dotted}", f"2002:{number >> 16:x}:{tail:x}::",
        f"::FFFF:{dotted}", f"0:0:0:0:0:ffff:{dotted}", f"2001::{number ^ 0xFFFFFFFF:x}"[:20],
    ]  # fmt: skip
    return [*plain, *(f"[{one}]" for one in six)]


SHUT = [
    "127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.5.4", "169.254.169.254", "100.64.0.1",
    "0.0.0.0", "168.63.129.16", "224.0.0.1", "255.255.255.255", "192.0.0.192", "198.18.0.1",
]  # fmt: skip


@given(st.one_of(st.sampled_from(SHUT).map(ipaddress.ip_address), st.ip_addresses()))
@settings(max_examples=examples(25))
async def test_no_spelling_of_an_address_leads_where_its_usual_one_does_not(address):
    """Whatever is let through is an address that the standard library calls global."""
    assert len(_spellings(ipaddress.ip_address("10.0.0.1"))) >= 58
    for host in _spellings(address):
        for url in (f"http://{host}/", f"HTTPS://{host}/x?y", f"http:\\\\{host}/", f"http:{host}/"):
            try:
                found = await AddressPolicy(resolver=AsTheSystem()).addresses(parse_url(url))
            except ToolError:
                continue
            for one in found:
                assert ipaddress.ip_address(one).is_global
                assert one not in SHUT


WORDS = [
    "$ref", "$defs", "definitions", "properties", "items", "anyOf", "allOf", "oneOf", "not", "type",
    "enum", "const", "$id", "$anchor", "additionalProperties", "prefixItems", "required", "format",
    "patternProperties", "if", "then", "$dynamicRef", "description", "default", "minimum", "a",
    "pattern", "exclusiveMinimum", "dependentSchemas", "$schema", "$recursiveRef", "",
]  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.sampled_from([
        "#", "#/$defs/a", "#/properties/a", "#/$defs/a/properties/a", "object", "#a", "string",
        "array", "https://example.org/x", "#/items", "#/anyOf/0", "a", "//",
    ]),
)  # fmt: skip
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(WORDS), inner, max_size=5)
    ),
    max_leaves=40,
)


@given(st.dictionaries(st.sampled_from(WORDS), SCHEMAS, max_size=6))
@settings(max_examples=examples(80))
def test_any_schema_is_made_plain_within_bounds_or_refused(schema):
    """Without a reference left, no longer and no deeper than may be; nothing else is raised."""
    before = json.dumps(schema)
    try:
        plain = plain_schema(schema)
    except SchemaError:
        return
    finally:
        assert json.dumps(schema) == before
    text = json.dumps(plain, ensure_ascii=False)
    assert len(text) <= MOST_CHARS + 100
    assert plain["type"] == "object"
    assert _depth(plain) <= 4 * 48 + 4


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max((_depth(one) for one in inner), default=0)


@pytest.mark.parametrize(
    "schema",
    [
        {"$defs": {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 20} for n in range(200)},
         "$ref": "#/$defs/a0"},
        {"properties": {f"p{n}": {"$ref": "#"} for n in range(500)}},
        {"$ref": "#/$ref"},
        {"allOf": [{"$ref": "#/allOf/0"}, {"$ref": "#/allOf/1"}]},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {"properties": {"x" * 40_000: {}}},
        {"properties": {"a": {"pattern": "(a+)+$" * 2000}}},
        {"enum": list(range(60_000))},
    ],
)  # fmt: skip
def test_a_schema_made_to_grow_or_to_run_in_circles_ends(schema):
    """In bounded work: it becomes short enough, or is refused with a sentence."""
    with suppress(SchemaError):
        assert len(json.dumps(plain_schema(schema))) <= MOST_CHARS * 2
