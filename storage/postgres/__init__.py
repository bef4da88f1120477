"""PostgreSQL: a schema of its own in the database."""
