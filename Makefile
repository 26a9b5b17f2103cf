# Every target sets the project up in .venv first; nothing else has to be installed but Python >= 3.11 and make.
PORT ?= 3000
FACESETS_HOME ?= $(CURDIR)/data
ACCEL ?=
export FACESETS_HOME
PYTHON := .venv/bin/python

.PHONY: help setup demo test test-slow dev bench check

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup: ## install into .venv (ACCEL=cpu or gpu; default: gpu where an NVIDIA driver answers)
	@sh scripts/bootstrap.sh $(ACCEL)

demo: setup ## sample buckets through the whole platform, with the embedded model pack
	@FACESETS_MODEL_PACK=embedded .venv/bin/facesets init --automation
	@FACESETS_MODEL_PACK=embedded .venv/bin/facesets sample $(FACESETS_HOME)/buckets
	@FACESETS_MODEL_PACK=embedded .venv/bin/facesets run

test: setup ## the fast tests
	@$(PYTHON) -m pytest -m "not slow"

test-slow: setup ## the long tests
	@$(PYTHON) -m pytest -m slow

dev: setup ## Dagster UI and daemon on 127.0.0.1:$(PORT)
	@.venv/bin/facesets init
	@DAGSTER_HOME=$${DAGSTER_HOME:-$(FACESETS_HOME)/dagster} exec .venv/bin/dagster dev -w workspace.yaml -h 127.0.0.1 -p $(PORT)

bench: setup ## benchmarks (ONLY=name runs one)
	@$(PYTHON) -m benchmarks.run $(ONLY)

check: setup ## linter, formatter, type checker, docs
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet --site-dir .venv/site
