# Everything works from a fresh clone: each target makes .venv first (scripts/setup).

.PHONY: check check-full docs lint test mutate lock format bench bench-full checks check-governor demo setup wheels

check: lint test

# All that CI does, and the mutation run: docs/testing.md.
check-full:
	@DDBIO_TESTS=thorough .ci/run
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

# What the docs have from the code: docs/cli.md, and the drawing of the packages in docs/architecture.md.
docs: setup
	@.venv/bin/python -m checks.docs

format: setup
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

# Into dist/: the pure wheel, and the one with the native core for this platform.
wheels: setup
	@DDBIO_NATIVE=0 .venv/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@.venv/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

# This project and its peers side by side: about ten minutes. All of it at length: half an hour and more.
bench: setup
	@.venv/bin/python -m bench

bench-full: setup
	@.venv/bin/python -m bench --full --picture docs/performance.svg

# The cap as the server sees it, 8 minutes; processes killed at random, 50 seeds; the native core against the Python
# code, an hour; large jobs in simulated time.
checks: setup check-governor
	@.venv/bin/python -m checks.chaos
	@.venv/bin/python -m checks.native --seconds 3600
	@.venv/bin/python -m checks.scale

check-governor: setup
	@.venv/bin/python -m checks.governor

demo: setup
	@scripts/demo
