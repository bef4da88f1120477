"""The request: what is asked, and how many tokens that is."""
