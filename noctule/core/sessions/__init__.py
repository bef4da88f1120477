"""Sessions: turns and their states, parking, questions, approvals, plans."""
