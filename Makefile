# Everything works from a fresh clone: each target makes .venv first (scripts/setup).

.PHONY: check check-full lint test mutate lock format bench bench-full bench-governor demo setup

check: lint test

# All that CI does, and the mutation run: docs/testing.md.
check-full:
	@.ci/run
	@scripts/mutate

setup:
	@scripts/setup

lint:
	@scripts/lint

test:
	@scripts/test

mutate:
	@scripts/mutate

# Exact versions of everything for development and CI: docs/development.md.
lock:
	@scripts/lock

format: setup
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

# This project and its peers side by side: about five minutes. All of it at length, and the cap: an hour.
bench: setup
	@.venv/bin/python -m bench

bench-full: setup
	@.venv/bin/python -m bench --full --picture docs/performance.svg
	@.venv/bin/python -m bench.governor

bench-governor: setup
	@.venv/bin/python -m bench.governor

demo: setup
	@scripts/demo
