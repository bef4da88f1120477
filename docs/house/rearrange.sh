#!/usr/bin/env bash
# Moves and renames, as two commits, and names both in .git-blame-ignore-revs. At the root of a clean checkout.
set -euo pipefail
[ -z "$(git status --porcelain)" ] || { echo "There are uncommitted changes." >&2; exit 1; }
bin=.venv/bin
tidy() {
  $bin/ruff check --fix --quiet --exit-zero . > /dev/null
  $bin/ruff format --quiet .
  $bin/python -m docs.folders > /dev/null
  $bin/python -m docs.generate > /dev/null
  $bin/ruff check --quiet .
  git add --all
}
$bin/python -m docs.house.move
tidy
git commit --quiet --message "Give every file a room

By docs/house/rooms.toml, with docs/house/move.py. Nothing but places and names of files changes."
$bin/python -m docs.house.rename
tidy
git commit --quiet --message "Call classes and functions by the field's words

By docs/house/renames.toml, with docs/house/rename.py. What is stored or spoken keeps its word."
{
  echo "# git config blame.ignoreRevsFile .git-blame-ignore-revs"
  git log --reverse --max-count 2 --format="%n# %s%n%H"
} > .git-blame-ignore-revs
git add .git-blame-ignore-revs
git commit --quiet --message "docs: leave the moves and renames out of blame"
$bin/mypy
$bin/lint-imports
$bin/python -m docs.generate --check
$bin/python -m docs.folders --check
$bin/python -m pytest -q -n0 -p no:cacheprovider tests/architecture tests/integration/test_made_by_0_1.py
