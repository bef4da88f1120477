"""Messaging: chats, and messages in and out."""
