"""The family ``files``: reading, searching, writing and patching the workspace."""
