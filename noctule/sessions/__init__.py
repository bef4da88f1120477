"""Submit, drive, park, wake, resume: how a turn gets through the graph."""
