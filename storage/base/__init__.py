"""Ground of storage: column types, transactions, faults, and what stores share."""
