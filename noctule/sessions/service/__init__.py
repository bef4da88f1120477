"""Service: what people ask of sessions, checked and stored."""
