"""SQLite: one file, one writer, statements on the event loop, the disk in threads."""
