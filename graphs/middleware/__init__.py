"""What stands around every model call of an agent loop: park (with the guard), and bind."""
