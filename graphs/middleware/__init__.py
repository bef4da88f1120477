"""What stands around every model call of an agent loop."""
