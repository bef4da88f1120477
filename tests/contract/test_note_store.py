import pytest

from noctule.core.ports.database import Database
from tests.support.stored_records import a_note, later


async def _titles(database: Database, words: str, owner: str = "local") -> list[str]:
    async with database.read() as work:
        return [note.title for note in await work.notes.search(owner, words)]


async def _with_notes(database: Database, **texts: str) -> None:
    async with database.work() as work:
        for number, (title, text) in enumerate(texts.items()):
            await work.notes.put(a_note(title, text, written_at=later(number)))
        await work.commit()


async def test_a_note_comes_back_as_it_was_stored(database: Database) -> None:
    """Every field survives, found by its title or by a word of it."""
    note = a_note("Fledermäuse · 🦇", "Nachts wach.\nTags nicht.", session_id=None)
    async with database.work() as work:
        await work.notes.put(note)
        await work.commit()
    async with database.read() as work:
        assert await work.notes.get("local", note.title) == note
        assert await work.notes.search("local", "nachts") == [note]
        assert await work.notes.get("local", "Fledermäuse") is None
        assert await work.notes.get("tg:7", note.title) is None


async def test_writing_a_title_again_replaces_the_text(database: Database) -> None:
    """The note keeps its id, and is found by its new words only."""
    again = a_note("Wifi", "password: moth", id="other", session_id="s2", written_at=later(60))
    async with database.work() as work:
        await work.notes.put(a_note("Wifi", "password: beetle", id="first"))
        await work.notes.put(again)
        await work.notes.put(a_note("Wifi", "of somebody else", owner="tg:7"))
        await work.commit()
    async with database.read() as work:
        found = await work.notes.get("local", "Wifi")
    assert found is not None
    assert (found.id, found.text, found.session_id) == ("first", "password: moth", "s2")
    assert found.written_at == later(60)
    assert await _titles(database, "beetle") == []
    assert await _titles(database, "moth") == ["Wifi"]


@pytest.mark.parametrize(
    ("words", "titles"),
    [
        ("meeting", {"Tuesday", "Rules"}),
        ("MEETINGS", {"Tuesday", "Rules"}),
        ("meet Anna", {"Tuesday"}),
        ("anna meeting tuesday", {"Tuesday"}),
        ("muller", {"Dentist"}),
        ("Müller dentist", {"Dentist"}),
        ("test_notes.py", {"Paths"}),
        ("notes tests", {"Paths"}),
        ("O'Brien", {"Dentist"}),
        ("scheduled", {"Rules"}),
        ("dent", {"Dentist"}),
        ("nowhere", set()),
        ("meeting nowhere", set()),
        ('"', set()),
        ("AND NOT ( * :", set()),
        ("'; DROP TABLE notes; --", set()),
        ("?!", set()),
    ],
)
async def test_notes_are_found_by_their_words(
    database: Database, words: str, titles: set[str]
) -> None:
    """All words, in any order, whatever case, accent or plain ending; no word is an operator."""
    await _with_notes(
        database,
        Tuesday="Meeting with Anna at ten.",
        Rules="We schedule meetings before noon.",
        Dentist="Dr. Müller or Dr. O'Brien, ring first.",
        Paths="see /home/me/tests/contract/test_notes.py",
    )
    assert set(await _titles(database, words)) == titles


async def test_the_best_note_comes_first(database: Database) -> None:
    """A title weighs most, then how much of the text the words are, then the newest."""
    await _with_notes(
        database,
        long="bats " + "and much about other things " * 20,
        old="all about bats",
        new="all about bats",
        bats="sleep by day",
    )
    assert await _titles(database, "bats") == ["bats", "new", "old", "long"]


async def test_no_words_return_the_newest(database: Database) -> None:
    """As many as asked for, of this owner."""
    await _with_notes(database, first="a", second="b", third="c")
    async with database.read() as work:
        found = await work.notes.search("local", "  ", limit=2)
        assert [note.title for note in found] == ["third", "second"]
        assert len(await work.notes.search("local", "a", limit=1)) == 1
        assert await work.notes.search("tg:7", "") == []


async def test_a_note_can_be_forgotten(database: Database) -> None:
    """It is gone from the index too, and can be written anew."""
    await _with_notes(database, Bats="nocturnal", Moths="nocturnal")
    async with database.work() as work:
        assert await work.notes.drop("local", "Bats")
        assert not await work.notes.drop("local", "Bats")
        assert not await work.notes.drop("tg:7", "Moths")
        await work.commit()
    assert await _titles(database, "nocturnal") == ["Moths"]
    await _with_notes(database, Bats="nocturnal again")
    assert set(await _titles(database, "nocturnal")) == {"Moths", "Bats"}


async def test_what_is_not_committed_is_not_found(database: Database) -> None:
    """The index goes with the notes."""
    async with database.work() as work:
        await work.notes.put(a_note())
    assert await _titles(database, "sleep") == []


async def test_a_long_note_is_stored_whole(database: Database) -> None:
    """Its first words are found; one word of a megabyte does no harm."""
    text = "beginning " + " ".join(f"word{number}" for number in range(200_000)) + " " + "x" * 10**6
    async with database.work() as work:
        await work.notes.put(a_note("long", text))
        await work.commit()
    async with database.read() as work:
        found = await work.notes.get("local", "long")
    assert found is not None
    assert found.text == text
    assert await _titles(database, "beginning") == ["long"]
    assert await _titles(database, "word4000") == ["long"]
