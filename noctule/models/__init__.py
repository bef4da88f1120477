"""Endpoints, bindings and prices: the only place that talks to model providers."""
