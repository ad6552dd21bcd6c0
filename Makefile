# Two commands matter: `make run` and `make test`. Every target starts from a bare clone and is quick the second time.
.DEFAULT_GOAL := help
.PHONY: help run test soak lint bench bench-scale bench-storages bench-playback clean system

# The system's packages come while pip and npm bring theirs.
MAKEFLAGS += --jobs=2

# Where the environment forbids to keep bytecode, each of the many processes of a test run, and each start of the
# service, would compile Django anew, which takes longer than all else that it does.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JS := tests/js/node_modules
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input

help:  ## say what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/.run  ## start the service, with a MongoDB of its own unless MONGODB_URL names one
	@exec $(BIN)/python -m proctoring_site.launch

test: $(VENV)/.dev $(JS)/.made system  ## run every test, against real processes and a real MongoDB
	@exec $(BIN)/python -m pytest --numprocesses 3 --dist loadfile $(ARGS)

soak: $(VENV)/.dev $(JS)/.made  ## kill, freeze and ask in any order for some MINUTES (5) at a time, and say what was lost: nothing
	@exec $(BIN)/python -m pytest --timeout 0 --soak $(or $(MINUTES),5) tests/proof tests/media_app/test_tus_js_client.py $(ARGS)

lint: $(VENV)/.dev  ## check style and format
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

bench: $(VENV)/.bench  ## measure, beside the earlier service; make bench-scale, bench-storages, bench-playback: size, storages, seeking
	@exec $(BIN)/python -m bench $(ARGS)

bench-scale: $(VENV)/.bench
	@exec $(BIN)/python -m bench --scale $(ARGS)

bench-storages: $(VENV)/.bench
	@exec $(BIN)/python -m bench.storages $(ARGS)

bench-playback: $(VENV)/.dev system
	@exec $(BIN)/python -m bench.playback $(ARGS)

clean:  ## remove what these targets made, never data/
	rm -rf $(VENV) $(JS) staticfiles test-results .pytest_cache .ruff_cache
	find . -name data -prune -o -name frontend -prune -o -name __pycache__ -type d -exec rm -rf {} +

system:
	@.ci/system-packages

# A stamp is newer than the list that it installed. The one for development has all of the other, and stands for both;
# what of it is never imported, which is most, is not compiled.

$(VENV)/.run: requirements.txt | $(VENV)/.made
	@echo "Installing the packages of requirements.txt into $(VENV) ..."
	@$(PIP) install -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt | $(VENV)/.made
	@echo "Installing the packages of requirements-dev.txt into $(VENV) ..."
	@$(PIP) install --no-compile -r requirements-dev.txt
	@touch $(VENV)/.run $@

# Clients that others wrote, for the tests. Node itself is a package of requirements-dev.txt.
$(JS)/.made: tests/js/package.json tests/js/package-lock.json | $(VENV)/.dev
	@echo "Installing the packages of tests/js/package.json ..."
	@$(BIN)/npm ci --prefix tests/js --ignore-scripts --no-audit --no-fund --silent
	@touch $@

$(VENV)/.bench: bench/requirements.txt $(VENV)/.dev
	@echo "Installing the packages of bench/requirements.txt into $(VENV) ..."
	@$(PIP) install -r bench/requirements.txt
	@touch $@

$(VENV)/.made:
	@.ci/make-venv "$(PYTHON)" $(VENV)
	@touch $@
