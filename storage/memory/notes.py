"""What agents remember for a person."""

from dataclasses import replace

from noctule.core.notes import Note
from storage.memory.records import stored
from storage.memory.transaction import MemoryTransaction
from storage.stores.notes import best_first
from storage.types import storable_text
from storage.words import holds_all, words_of


class MemoryNotes:
    """What agents remember for a person."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def put(self, note: Note) -> None:
        """Store a note; one of the same owner and title gets the new text and keeps its id."""
        tables = await self._transaction.writing("notes")
        note = stored(note)
        before = tables.notes.get((note.owner, note.title))
        kept = note if before is None else replace(note, id=before.id)
        tables.notes[note.owner, note.title] = kept

    async def search(self, owner: str, words: str, *, limit: int = 10) -> list[Note]:
        """Return the notes of an owner that hold all the words, the best first."""
        notes = (await self._transaction.reading()).notes.values()
        wanted = words_of(words)
        if words.strip() and not wanted:
            return []
        found = [
            note
            for note in notes
            if note.owner == owner
            and holds_all((*words_of(note.title), *words_of(note.text)), wanted)
        ]
        return best_first(found, wanted)[:limit]

    async def get(self, owner: str, title: str) -> Note | None:
        """Return one note by its exact title; None when there is none."""
        notes = (await self._transaction.reading()).notes
        return notes.get((owner, storable_text(title)))

    async def drop(self, owner: str, title: str) -> bool:
        """Forget a note; return whether there was one."""
        tables = await self._transaction.writing("notes")
        return tables.notes.pop((owner, storable_text(title)), None) is not None
