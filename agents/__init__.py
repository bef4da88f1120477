"""What each of the six roles says and may use: one file per role, prompts beside them."""
