"""The agent loop of one role, and what stands around each of its steps."""
