"""``kind: anthropic``: Claude by its own API."""
