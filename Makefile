# Every command a person needs. `make` lists them.
# ARGS goes to the program behind a command: make demo ARGS="--seed 7 --residents 200"

ARGS ?=
CARGO ?= cargo
SHELL := /bin/bash

.DEFAULT_GOAL := help
.PHONY: help demo torture test setup format fmt-check clippy fast live lint definitions generated generate bench build

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo: build ## the whole crossing on this machine: simulators, gateway, oracle
	@target/debug/watashi-simulators demo $(ARGS)

torture: build setup ## everything that can go wrong, judged by the oracle: ARGS="--short --seed N"
	@target/debug/watashi-simulators torture $(ARGS)

test: setup ## everything that must hold: format, clippy, fast and live tests, definitions, generated files
	@scripts/test

build:
	@$(CARGO) build --locked --workspace

setup: ## install what the live tests need (apt, as root or with sudo)
	@scripts/setup

format: ## format the code
	$(CARGO) fmt --all

fast: ## tests that need nothing but cargo
	$(CARGO) test --locked --workspace --lib --bins --test fast

live: ## tests against real RabbitMQ, SQLite and TLS
	$(CARGO) test --locked --workspace --test live

lint: build ## check all definitions
	target/debug/watashi lint

generate: build ## write generated files anew
	scripts/generate

bench: ## figures as ratios against a floor of the same run
	scripts/bench $(ARGS)
