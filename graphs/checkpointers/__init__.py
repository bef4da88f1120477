"""Checkpoint savers: where the state machine keeps what it has done, step by step.

``open_saver(url)`` gives a saver for a SQLite file or a PostgreSQL database; graphs are run with
``durability="sync"``, so that a step counts as done when its checkpoint is on the disk.
"""

from graphs.checkpointers.epochs import EPOCH
from graphs.checkpointers.opening import NoctuleSaver, open_saver
from graphs.checkpointers.sqlite import SqliteSaver

__all__ = ["EPOCH", "NoctuleSaver", "SqliteSaver", "open_saver"]
