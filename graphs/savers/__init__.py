"""Checkpoint savers: where the state machine keeps what it has done, step by step.

``open_saver(url)`` gives a saver for a SQLite file or a PostgreSQL database; graphs are run with
``durability="sync"``, so that a step counts as done when its checkpoint is on the disk.

====================  ================================================================
``opening.py``        ``open_saver``: from a URL to a saver
``sqlite.py``         ``SqliteSaver``: LangGraph's interface over a file
``parts.py``          takes a value apart so that what repeats is stored once
``runs.py``           recognises runs of messages that were taken apart before
``channels.py``       a checkpoint's channels as one column
``changes.py``        what the saver asks its writer to change
``writer.py``         the thread that owns the file; one transaction for all who wait
``batch.py``          one transaction's changes, and the pruning they cause
``counts.py``         references to parts; deletes the parts nobody needs
``index.py``          what is stored of the threads in use, in memory
``reader.py``         reads checkpoints back
``statements.py``     statements over many rows
``schema.py``         tables and pragmas
``failures.py``       SQLite's errors as sentences
``postgres.py``       ``PostgresSaver``: LangGraph's own with pruning and without its lock
====================  ================================================================
"""

from graphs.savers.opening import NoctuleSaver, open_saver
from graphs.savers.sqlite import SqliteSaver

__all__ = ["NoctuleSaver", "SqliteSaver", "open_saver"]
