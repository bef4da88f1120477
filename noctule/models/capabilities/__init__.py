"""Capabilities: which models really call tools, proven by asking them."""
