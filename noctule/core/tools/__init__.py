"""Tools as values: permissions, effects, notes, and what an approval shows."""
