# Thin on purpose: each target is one script, and each script can be run by itself.
.DEFAULT_GOAL := help
.PHONY: help dev dev-reset build test lint fmt bench bench-schedule bench-materialise simulate-year chaos chaos-bugs soak
ARGS ?=

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

dev: ## run everything here, on private servers under .dev/ (Ctrl-C stops it, data stays)
	@scripts/dev.sh

dev-reset: ## stop what runs under .dev/ and delete its data
	@scripts/dev-reset.sh

build: ## build all programs for release, into target/release/
	cargo build --workspace --bins --release --locked

test: ## run all tests on their own PostgreSQL and Redis (ARGS='-p task_executor')
	@scripts/test.sh $(ARGS)

lint: ## check formatting, clippy, shell scripts and deployment files
	@scripts/lint.sh

fmt: ## format the code
	cargo fmt --all

bench: ## measure a release build on durable private servers (ROUNDS=5)
	@scripts/bench.sh $(ROUNDS)

chaos: ## every fault, every promise checked (MINUTES=30 SEED=7 FAULT=kill,flush)
	@scripts/chaos.sh matrix

chaos-bugs: ## planted bugs, each of which the checks must catch (BUG=name)
	@scripts/chaos.sh bugs

soak: ## mixed load for long; memory, descriptors, connections and tables must stay flat (MINUTES=30)
	@scripts/chaos.sh soak

bench-schedule: ## measure how long the next occurrence of a schedule takes (release build)
	cargo bench -p scheduler_core --bench schedule --locked

bench-materialise: ## measure how fast templates become occurrences, with up to a million stored (release build; minutes)
	@scripts/bench-materialise.sh

simulate-year: ## templates of all kinds through a year of crashes and changes, every record checked (SEED= TEMPLATES=1000 DAYS=365)
	@scripts/simulate-year.sh
