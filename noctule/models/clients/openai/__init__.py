"""``kind: openai``: any OpenAI-compatible URL."""
