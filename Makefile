# Needs Python 3.11 or newer, pip and make; everything else is installed into .venv from the hashed lock files.
SHELL := /bin/sh
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
PACKAGES := collector storage exporters

.PHONY: help run test test-parts test-processes test-crash test-fuzz test-engines test-ui unit lint format lock proto docs bench clean
.DEFAULT_GOAL := help

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

run: $(VENV)/run.stamp ## start Baton on ./data (STORAGE=postgres: on a PostgreSQL of its own; ARGS="--help": more)
	@exec $(BIN)/baton serve --data-dir data $(if $(STORAGE),--set exporters.storage.engine=$(STORAGE)) $(ARGS)

# Two at a time: the tests of whole processes mostly wait, so they run beside the others once the linters are through.
test: $(VENV)/dev.stamp ## lint, types, layers and every test
	@$(MAKE) --no-print-directory --jobs=2 test-parts lint test-processes

test-parts: $(VENV)/dev.stamp
	$(BIN)/python -m pytest --ignore=tests/e2e $(ARGS)

test-processes: $(VENV)/dev.stamp
	$(BIN)/python -m pytest tests/e2e $(ARGS)

test-crash: $(VENV)/dev.stamp ## kill -9 under load, 25 times: acknowledged = stored exactly
	BATON_KILLS=25 $(BIN)/python -m pytest tests/e2e/test_kill9.py tests/e2e/test_postgres_kill9.py -s $(ARGS)

test-fuzz: $(VENV)/dev.stamp ## 100,000 mutated payloads: no crash, no server error, no good request lost
	BATON_FUZZ_PAYLOADS=100000 $(BIN)/python -m pytest tests/e2e/test_fuzz_payloads.py -s $(ARGS)

test-engines: $(VENV)/dev.stamp ## the contract of storage on every engine; BATON_TEST_CLICKHOUSE=<url>: on a server of yours
	BATON_EVERY_ENGINE=1 $(BIN)/python -m pytest tests/contract tests/component/copying $(ARGS)

test-ui: $(VENV)/dev.stamp ## open a Jaeger UI build in a headless Chromium: make test-ui BATON_UI_DIR=<build>
	BATON_UI_DIR="$(BATON_UI_DIR)" $(BIN)/python -m pytest tests/e2e/browse_ui.py $(ARGS)

lint: $(VENV)/dev.stamp ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PACKAGES)
	$(BIN)/lint-imports --no-cache

format: $(VENV)/dev.stamp ## rewrite the code as ruff wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(VENV)/dev.stamp ## pin the newest versions that pyproject.toml allows, with the hashes of every wheel
	$(LOCK) --upgrade pyproject.toml --group build -o requirements.lock
	$(LOCK) --upgrade pyproject.toml --group build --group dev -c requirements.lock -o requirements-dev.lock

proto: $(VENV)/dev.stamp ## generate the protobuf stubs from proto/
	PYTHON=$(abspath $(BIN)/python) proto/generate

docs: $(VENV)/dev.stamp ## write docs/configuration.md from the settings' models
	$(BIN)/python -m collector.config.reference > docs/configuration.md

bench: $(VENV)/run.stamp ## how fast Baton takes in and answers on this machine
	$(BIN)/baton bench ingest $(ARGS)

clean: ## remove what was installed and built; ./data stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find $(PACKAGES) tests -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/run.stamp: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing Baton into $(VENV) …"
	@$(call install,requirements.lock)
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "Installing Baton and its development tools into $(VENV) …"
	@$(call install,requirements-dev.lock)
	@touch $@ $(VENV)/run.stamp

# The environment's own pip, or, where Debian left it out, the pip of $(PYTHON).
define install
	pip="$(BIN)/python -m pip"; \
	$$pip --version >/dev/null 2>&1 || pip="$(PYTHON) -m pip --python $(BIN)/python"; \
	$$pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r $(1) && \
	$$pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
endef

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Baton needs Python 3.11 or newer; name yours with: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { rm -rf $(VENV); \
	$(PYTHON) -m pip --version >/dev/null 2>&1 && $(PYTHON) -m venv --without-pip $(VENV); } || { rm -rf $(VENV); \
	echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
