"""What a person is shown before they decide."""

import sys
import unicodedata

from noctule.core.plain_sight import in_plain_sight, odd_letters


def test_no_character_that_shows_as_nothing_is_left_unspelt():
    """The whole class of default-ignorable characters, everything invisible, every direction."""
    ignorable = [
        *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), *range(0xE0000, 0xE0080),
        *range(0x180B, 0x1810), *range(0x200B, 0x2010),
        *range(0x202A, 0x202F), *range(0x2060, 0x2070),
        0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, 0xFEFF, 0x2800, 0x1D173,
    ]  # fmt: skip
    left = [
        hex(code) for code in ignorable if chr(code) in in_plain_sight(f"a{chr(code)}b", most=99)
    ]
    assert left == []
    unseen = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        and chr(code) not in "\n\t"
    ]
    assert set(in_plain_sight("a".join(unseen), most=10**6)).isdisjoint(unseen)


def test_marks_are_shown_on_letters_and_spelt_in_heaps():
    """An accent is an accent; forty of them cover the lines above."""
    assert in_plain_sight("e\u0301te\u0301", most=99) == "e\u0301te\u0301"
    assert in_plain_sight("a" + "\u0335" * 40, most=999).count("\\u0335") == 38
    assert in_plain_sight("rm \u20e0x", most=99) == "rm \\u20e0x"


def test_letters_of_other_scripts_in_a_command_are_counted_and_named():
    """What looks like ASCII and is not would be another program, or no quotation mark."""
    assert odd_letters("ls -l 'a b'") is None
    assert odd_letters("gr\u0435p x") == (
        "1 character is not ASCII: U+0435 CYRILLIC SMALL LETTER IE."
    )
    many = odd_letters("".join(map(chr, range(0x430, 0x438))) * 200)
    assert many.startswith("1,600 characters are not ASCII: U+0430 CYRILLIC SMALL LETTER A, ")
    assert many.endswith(" and 3 more kinds.")
