"""Ports: what the parts of Noctule ask of one another."""
