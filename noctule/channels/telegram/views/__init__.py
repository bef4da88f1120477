"""Views: what the bot shows, made from the events of sessions."""
