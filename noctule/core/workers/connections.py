"""How every connection to PostgreSQL is set up, so that a machine that vanished is noticed."""

from typing import Final

CONNECTION: Final = {
    "application_name": "noctule",
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "2",
    "tcp_user_timeout": "20000",
}
"""libpq's own: a server that vanished is noticed within twenty seconds instead of two hours."""

SERVER_SIDE: Final = (
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=2 "
    "-c tcp_user_timeout=20000 -c idle_in_transaction_session_timeout=15s"
)
"""The same seen from the server, which waits two hours by default. What a vanished machine had
locked in the middle of a transaction is free again soon, behind a pooler too, which keeps the
connection open. Sockets of the same machine ignore what is about TCP."""
