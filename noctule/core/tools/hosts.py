"""Hosts of addresses, as rules and grants name them."""

from urllib.parse import urlsplit


def host_in(address: str) -> str:
    """Return the name of an address's host in lower case; "" when it is no address."""
    try:
        return (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return ""
