"""The family ``web``: searching, and reading pages of public addresses."""
