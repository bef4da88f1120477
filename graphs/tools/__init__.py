"""How a tool call runs: allowed, asked about, once, in order, and what is told of it."""
