"""Provider errors: what a 429 or another refusal says, and how long it lasts."""
