"""Model calls as values: requirements, candidates, attempts, limits, proofs, prices."""
