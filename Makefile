# Every target sets the project up in .venv first; nothing else has to be installed but Python >= 3.11 and make.
PORT ?= 3000
ACCEL ?=
PYTHON := .venv/bin/python
# Settings come from the environment, from `make demo FACESETS_HOME=...` or from .env; only the program knows which.
INIT := .venv/bin/facesets init

.PHONY: help setup demo test test-slow test-faults dev bench screenshots check check-deploy audit sbom

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup: ## install into .venv (ACCEL=cpu or gpu; default: gpu where an NVIDIA driver answers)
	@sh scripts/bootstrap.sh $(ACCEL)

demo: setup ## sample buckets through the whole platform, with the embedded model pack
	@export FACESETS_MODEL_PACK=embedded; home=$$($(INIT) --automation | sed -n 's/^home: //p'); \
		[ -n "$$home" ] && .venv/bin/facesets sample "$$home/buckets" && .venv/bin/facesets run && .venv/bin/facesets review

test: setup ## the fast tests, a process for each core
	@$(PYTHON) -m pytest -n logical --dist loadfile --no-loadscope-reorder -m "not slow"

test-slow: setup ## the long tests
	@$(PYTHON) -m pytest -n logical -m slow

test-faults: setup ## kills, full disks, 2,000 damaged photos, many processes at once
	@$(PYTHON) -m pytest -n logical -m faults

dev: setup ## Dagster UI and daemon on 127.0.0.1:$(PORT)
	@exec $(PYTHON) -m facesets_dagster.web.dev --port $(PORT)

bench: setup ## benchmarks (ONLY=name runs one)
	@$(PYTHON) -m benchmarks.run $(ONLY)

screenshots: setup ## pictures of the UI and the report for the docs (needs Chromium)
	@$(PYTHON) -m scripts.screenshots

check: setup ## linter, formatter, type checker, layers, docs
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-cache --no-logo
	@sh scripts/page_types/check.sh
	@$(PYTHON) -m pytest tests/test_deploy.py
	@$(PYTHON) -m scripts.audit
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet --site-dir .venv/site

check-deploy: setup ## deploy/ with every validator and launcher, in .venv-deploy (Ray: 200 MB)
	@UV_PROJECT_ENVIRONMENT=.venv-deploy .venv/bin/uv sync --frozen --quiet --group deploy --extra cpu --extra postgres \
		--extra kubernetes --extra celery --extra ray
	@ALL_VALIDATORS=1 .venv-deploy/bin/python -m pytest tests/test_deploy.py

audit: setup ## known vulnerabilities of the locked packages; fails if there is one
	@$(PYTHON) -m scripts.audit --strict

sbom: setup ## software bill of materials (CycloneDX) and licences, in dist/
	@$(PYTHON) -m scripts.sbom $$(cat .venv/facesets-accel)
