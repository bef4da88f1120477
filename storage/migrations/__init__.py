"""Every version of the schema, oldest first."""

REVISIONS = (
    "0001",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
    "0015",
    "0016",
)
"""Known without importing Alembic, so that opening a database of the newest version is quick."""

NEWEST = REVISIONS[-1]
