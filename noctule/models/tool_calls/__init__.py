"""Tool calls in words: written, read, repaired, and how each model is asked for them."""
