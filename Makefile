# Everything works from a fresh clone: each target makes .venv first (scripts/setup).

.PHONY: check lint test format bench demo setup

check: lint test

setup:
	@scripts/setup

lint:
	@scripts/lint

test:
	@scripts/test

format: setup
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

bench: setup
	@.venv/bin/python -m bench.governor

demo: setup
	@scripts/demo
