# Trainshed: `make help` lists the commands. Everything is installed inside .venv.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
READY := $(VENV)/.ready
# The build of torch: empty takes pip's default (on Linux with CUDA, several GB), `cpu` the small build.
TORCH ?=
# A package index to install torch from, instead of the default.
TORCH_INDEX ?=

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

demo: setup ## train a real network on real images through the HTTP API and show it live (KEEP=1: keep the box running)
	@$(RUN)/python -m box demo $(if $(KEEP),--keep)

up: setup ## run the box in the foreground until Ctrl-C
	@exec $(RUN)/python -m box up

test: setup ## run every check and test
	@scripts/test

test-zoo: setup ## train every large network for one step
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(RUN)/pytest -m zoo tests/worker

test-long: setup ## run the tests that `make test` has only a sample of
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(RUN)/pytest -m long tests/e2e tests/faults tests/security tests/shared

test-schema: setup ## make thousands of requests from the OpenAPI document, on SQLite and PostgreSQL
	@$(RUN)/python -m tests.api.schemathesis_run

test-pages: setup ## test the web pages in Chromium: every page at every width, light and dark
	@TRAINSHED_TEST_PAGES=all $(RUN)/pytest -m 'not zoo' tests/pages tests/api/dashboard

pictures: setup ## take the pictures of docs/pictures/ from the pages of a real box (needs Chromium)
	@$(RUN)/python -m tests.pages.pictures

test-operations: setup ## load the alert rules into a real Prometheus, which reads the metrics of a real API
	@$(RUN)/pytest -m operations tests/api/prometheus

lint: setup ## run ruff, pyright and the import contracts
	@$(RUN)/ruff check . && $(RUN)/ruff format --check . && $(RUN)/pyright && $(RUN)/lint-imports

mlflow: setup ## serve MLflow's pages over the box's store
	@scripts/mlflow

bench: setup ## run the benchmarks and print a table (ONLY="training scale": only these)
	@$(RUN)/python -m benchmarks $(ONLY)

gpu-check: setup ## measure what must hold on a GPU, on the one that is here; takes up to 6 minutes (ONLY="training latency": only these parts)
	@scripts/gpu-check $(ONLY)

experiments: setup ## compare methods by training; writes tables to docs/experiments.md and resumes where it stopped
	@$(RUN)/python -m benchmarks.experiments $(ONLY)

catalog: setup ## regenerate shared/catalog.json from the methods' signatures
	@$(RUN)/python -m worker.catalog

backup: setup ## write a backup of the box, also while it runs (FILE=box.tar)
	@$(RUN)/python -m api.backup write "$(or $(FILE),trainshed-$$(date -u +%Y-%m-%d-%H%M%S).tar)"

restore: setup ## restore a backup into an empty box (FILE=box.tar)
	@$(RUN)/python -m api.backup restore "$(FILE)"

migrate: setup ## migrate the database to the newest schema
	@$(RUN)/python -m shared.migrations

lock: $(RUN)/uv ## resolve the dependencies again into requirements*.lock
	@scripts/lock

setup: $(READY) ## install everything into .venv

$(READY): requirements.lock scripts/setup
	@TORCH="$(TORCH)" TORCH_INDEX="$(TORCH_INDEX)" PYTHON="$(PYTHON)" scripts/setup $(VENV)
	@touch $@

clean: ## remove the environments and the caches of the tools
	rm -rf $(VENV) .venv-mlflow .venv-generators node_modules .pytest_cache .ruff_cache build dist

.PHONY: help demo up test test-zoo test-long test-schema test-pages test-operations pictures lint mlflow bench gpu-check experiments catalog backup restore migrate lock setup clean
