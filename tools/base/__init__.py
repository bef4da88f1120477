"""What a tool is, the workspace it works in, and what no tool may change."""
