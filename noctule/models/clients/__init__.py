"""One file per kind of endpoint; ``build`` picks the right one and imports nothing else."""
