"""The families ``shell`` and ``python``: processes, bounded in time, memory, output and number."""
