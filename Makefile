# make run · test · check · bench · lock · seed · messages · clean – what they make lives in .venv and var.
PYTHON ?= python3
BIN := .venv/bin
FLASK := $(BIN)/flask --app app
UV := 0.13.9
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo -n)
OLD := Portico needs Python 3.11 or newer; name one like this: make PYTHON=python3.12 $(MAKECMDGOALS)
BARE := $(PYTHON) cannot make virtual environments; install its venv module (Debian: apt-get install python3-venv).

.PHONY: run test check bench lock seed messages clean

run: .venv/run  ## the web server and the worker, on demonstration data if the database is empty
	@$(FLASK) db upgrade
	@$(FLASK) demo load --if-empty
	@$(FLASK) serve

test: .venv/dev  ## every test, on SQLite and PostgreSQL, with a real Chromium; ARGS go to pytest
	@$(BIN)/python -m tests.browser
	@$(BIN)/pytest $(ARGS)

check: .venv/dev  ## what must be green before a change is shared
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .
	@$(MAKE) --no-print-directory test

bench: .venv/dev  ## time, queries and bytes of the heaviest pages at scale
	@$(BIN)/python -m bench $(ARGS)

seed: .venv/run  ## demonstration data into an existing database
	@$(FLASK) db upgrade
	@$(FLASK) demo load

TRANSLATIONS := translations
CATALOGUE = $(TRANSLATIONS)/%/LC_MESSAGES/messages.po
messages: .venv/dev  ## collect the portal's texts for its translations and compile these; NEW=de begins one
	@mkdir -p $(TRANSLATIONS)
	@$(BIN)/pybabel -q extract -F babel.cfg -k _l --project Portico --sort-by-file -o $(TRANSLATIONS)/messages.pot .
	@for language in $(sort $(NEW) $(patsubst $(CATALOGUE),%,$(wildcard $(subst %,*,$(CATALOGUE))))); do \
		$(BIN)/pybabel -q update -i $(TRANSLATIONS)/messages.pot -d $(TRANSLATIONS) -l $$language \
			--init-missing --ignore-pot-creation-date --previous || exit 1; \
		$(BIN)/pybabel -q compile -d $(TRANSLATIONS) -l $$language || exit 1; \
	done

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
lock: .venv/uv-$(UV)  ## pin requirements*.in anew, with hashes
	$(LOCK) requirements.in -o requirements.txt
	$(LOCK) requirements-dev.in -o requirements-dev.txt

clean:  ## everything but var, which holds data
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Empty files in .venv remember what was installed, so that it is done again only when the pins change.
.venv/uv-$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(OLD)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -qq -y python3-venv; } >/dev/null 2>&1 \
		|| { echo "$(BARE)" >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV)
	@touch $@

# pip reads settings that uv does not (mirrors, proxies), so it tries where uv could not.
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r $< \
	|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
.venv/run: requirements.txt .venv/uv-$(UV)
	@$(INSTALL)
	@touch $@
.venv/dev: requirements-dev.txt .venv/uv-$(UV)
	@$(INSTALL)
	@touch $@
