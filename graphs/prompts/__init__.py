"""Prompts: what a model is sent, cut to fit its window."""
