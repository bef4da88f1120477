"""Ground: ids, money, roles, and what keeps secrets out of sight."""
