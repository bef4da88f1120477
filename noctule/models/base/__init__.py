"""Ground of the model layer: what a client is, endpoints, errors, the ledger."""
