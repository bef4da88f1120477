"""Spend: money is reserved before a call and settled after it."""
