"""The nodes of the turn graph, one file each."""
