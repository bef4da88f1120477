"""The Telegram channel: a bot people talk to, give work to and hear from."""
