# Every target sets up what it needs; the second time that takes no time.
# Another Python than the first suitable one on the PATH: make PYTHON=/path/to/python3.12 ...

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench lock clean python kafka broker
.DELETE_ON_ERROR:

PYTHON ?= $(shell for name in python3 python3.11 python3.12 python3.13; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null && echo "$$name" && exit; \
	done; echo python3)
UV ?= uv
BIN := .venv/bin
INSTALLED := .venv/installed

help: ## Show what can be made
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: broker $(INSTALLED) ## Show it all on real flights: under three minutes
	@$(BIN)/streamer demo

test: kafka $(INSTALLED) lint ## Run all checks and all tests, and report coverage
	@$(BIN)/python -m pytest -n 3 --dist worksteal --cov --cov-report=term

lint: $(INSTALLED) ## Check format, style, types and layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(INSTALLED) ## Format the code and repair what can be repaired
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: broker $(INSTALLED) ## Measure throughput and latency
	@$(BIN)/python -m benchmarks

lock: ## Choose the newest allowed versions of all packages (needs uv)
	@command -v $(UV) > /dev/null || { echo "Missing: uv (pip install uv)" >&2; exit 1; }
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --all-extras --upgrade pyproject.toml -o requirements.lock
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate -c requirements.lock pyproject.toml -o deploy/requirements.lock
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate -c requirements.lock deploy/build-requirements.in -o deploy/build-requirements.lock

clean: ## Remove all that was made here; downloads and data in the cache folder stay
	rm -rf .venv .demo build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@.ci/prerequisites "$(PYTHON)"

kafka:
	@.ci/prerequisites "$(PYTHON)" kafka

# A broker that is given needs no Java here.
broker:
	@.ci/prerequisites "$(PYTHON)" $(if $(STREAMER_KAFKA__BOOTSTRAP_SERVERS),,kafka)

$(INSTALLED): requirements.lock pyproject.toml | python
	@echo "Installing the locked packages into .venv; the first time this takes a minute or two"
	@"$(PYTHON)" -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
