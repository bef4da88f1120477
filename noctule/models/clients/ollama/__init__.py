"""``kind: ollama``: Ollama by its own API."""
