"""How people reach Noctule: the terminal, Telegram."""
