"""Pure rules, no input or output: what the words of Noctule mean."""
