"""Which hosts are this machine, so that no proxy may stand in between."""

from ipaddress import ip_address


def is_on_this_machine(host: str | None) -> bool:
    """Whether a host name or address means this machine; None (no host) does not."""
    if not host:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
