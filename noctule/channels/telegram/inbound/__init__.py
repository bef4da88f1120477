"""Inbound: updates from Telegram, stored before they are acknowledged, handled once."""
