"""What an agent can do. The families arrive with the tools issue; the loop is ready for them."""
