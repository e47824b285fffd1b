# Trainshed: `make help` lists what there is. Everything happens inside .venv.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
READY := $(VENV)/.ready
# Which torch: empty takes pip's default (on Linux a build with CUDA, several GB), `cpu` the small one.
TORCH ?=
# An index of one's own to take it from.
TORCH_INDEX ?=

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

demo: setup ## train a real network on real images through the HTTP API, and watch (KEEP=1: leave the box up)
	@$(RUN)/python -m box demo $(if $(KEEP),--keep)

up: setup ## the box, in the foreground, until Ctrl-C
	@exec $(RUN)/python -m box up

test: setup ## every test
	@scripts/test

test-zoo: setup ## one step of training with every large network
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(RUN)/pytest -m zoo tests/worker

lint: setup ## ruff, pyright, import contracts
	@$(RUN)/ruff check . && $(RUN)/ruff format --check . && $(RUN)/pyright && $(RUN)/lint-imports

mlflow: setup ## MLflow's own pages over the box's store
	@scripts/mlflow

bench: setup ## the benchmarks, with a table as output
	@$(RUN)/python -m benchmarks $(ONLY)

experiments: setup ## the methods compared by training, with tables in docs/experiments.md (resumable)
	@$(RUN)/python -m benchmarks.experiments $(ONLY)

catalog: setup ## write shared/catalog.json anew from the methods' signatures
	@$(RUN)/python -m worker.catalog

migrate: setup ## bring the database to the newest tables
	@$(RUN)/python -m shared.migrations

lock: $(RUN)/uv ## resolve the dependencies anew into requirements*.lock
	@scripts/lock

setup: $(READY) ## what everything else needs, in .venv

$(READY): requirements.lock scripts/setup
	@TORCH="$(TORCH)" TORCH_INDEX="$(TORCH_INDEX)" PYTHON="$(PYTHON)" scripts/setup $(VENV)
	@touch $@

clean: ## remove .venv and what tools left
	rm -rf $(VENV) .pytest_cache .ruff_cache build dist

.PHONY: help demo up test test-zoo lint mlflow bench experiments catalog migrate lock setup clean
