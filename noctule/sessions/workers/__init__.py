"""Workers: who carries turns, when, and never two of them the same."""
