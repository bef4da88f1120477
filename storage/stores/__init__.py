"""One store per aggregate, the same for both databases."""
