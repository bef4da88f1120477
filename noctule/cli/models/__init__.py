"""``noctule models``: the list, probes, and models warmed up beside the work."""
