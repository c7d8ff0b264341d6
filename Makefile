# Two commands: `make run` and `make test`. Each installs what it needs on first use.

PORT ?= 8000
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_READY := $(VENV)/.run-ready
TEST_READY := $(VENV)/.test-ready
FUZZ_READY := $(VENV)/.fuzz-ready
OHIF_TRIED := $(VENV)/.ohif-tried
PYTEST_ARGS ?=
BENCH_ARGS ?=
TORTURE_ARGS ?=
FUZZ_ARGS ?=

.PHONY: run test ohif check torture bench fuzz requirements browser orthanc

run: $(RUN_READY) $(OHIF_TRIED)
	@$(BIN)/python manage.py up --port $(PORT) --with-parent

test: $(TEST_READY) $(OHIF_TRIED) browser
	$(BIN)/python -m pytest -n auto --dist worksteal $(PYTEST_ARGS)

check: $(TEST_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/djade --check $$(git ls-files 'templates/*.html')
	DATA_DIR=$$(mktemp -d) $(BIN)/python manage.py makemigrations --check --dry-run
	DATA_DIR=$$(mktemp -d) DATABASE_URL=postgresql://check@localhost/check PUBLIC_URL=https://images.example.org \
		$(BIN)/python manage.py check --deploy --fail-level WARNING

# kill -9 at random points of a real site, 300 times, on SQLite and on a PostgreSQL of its own (TORTURE_KILLS=20: fewer).
torture: $(TEST_READY)
	$(BIN)/python -m torture $(TORTURE_ARGS)

bench: $(TEST_READY) orthanc
	$(BIN)/python -m bench $(BENCH_ARGS)

fuzz: $(FUZZ_READY)
	nice -n 19 $(BIN)/python -m fuzz $(FUZZ_ARGS)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(RUN_READY): requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

# OHIF, for physicians. Tried once: without it the site's own viewer opens. `make ohif` tries again.
$(OHIF_TRIED): $(RUN_READY)
	-@$(BIN)/python manage.py ohif
	@touch $@

ohif: $(RUN_READY)
	$(BIN)/python manage.py ohif

$(TEST_READY): requirements-dev.txt $(RUN_READY)
	$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

$(FUZZ_READY): requirements-fuzz.txt $(RUN_READY)
	$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-fuzz.txt
	@touch $@

# Journeys run in Debian's Chromium; without the right to install it they are skipped, and say so.
browser:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && .ci/packages; } || echo "No chromium: journeys in the browser will be skipped."

# What the benchmark puts beside Lightbox; without the right to install it Lightbox is measured alone, and it says so.
orthanc:
	@[ -e /usr/share/orthanc/plugins/libOrthancGdcm.so ] || { [ "$$(id -u)" = 0 ] && .ci/packages orthanc orthanc-dicomweb orthanc-gdcm; } || echo "No Orthanc: Lightbox will be measured alone."

# Pins everything with hashes, from the short lists in *.in.
COMPILE := $(VENV)/.pip-tools/bin/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host
requirements: | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)/.pip-tools && $(VENV)/.pip-tools/bin/pip install --quiet pip-tools
	$(COMPILE) --output-file requirements.txt requirements.in
	$(COMPILE) --output-file requirements-dev.txt requirements-dev.in
	$(COMPILE) --output-file requirements-fuzz.txt requirements-fuzz.in
	$(COMPILE) --output-file gateway/requirements.txt gateway/requirements.in
