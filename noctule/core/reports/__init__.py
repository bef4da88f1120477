"""Reports: what it cost, why it was answered so, how budgets stand."""
