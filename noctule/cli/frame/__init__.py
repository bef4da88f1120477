"""The frame of every command: how it is run, how it ends, how it prints."""
