"""Completion: one request to one model, to the last chunk of its answer."""
