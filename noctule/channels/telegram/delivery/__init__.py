"""Delivery: messages out, stored first, sent once and in order."""
