"""Workers: what processes that share a database agree on."""
