"""Base: what every handler and view works with, and who may talk to the bot."""
