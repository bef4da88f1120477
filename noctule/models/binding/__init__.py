"""Binding: how a role reaches a model; the one retry loop."""
