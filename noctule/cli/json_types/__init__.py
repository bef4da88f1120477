"""The `--json` documents as types: a contract that scripts rely on."""
