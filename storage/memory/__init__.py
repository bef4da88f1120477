"""The database's twin in memory: for tests, examples and trying things out."""

from storage.memory.database import MemoryDatabase

__all__ = ["MemoryDatabase"]
