# `make run` and `make test` set everything up on first use; nothing is installed outside .venv.

PYTHON ?= python3
VENV := .venv
ARGS ?=
EVENTS ?=
ELASTICSEARCH_URL ?=
# Without a cluster the rules run on the embedded store, fed by files or by a simulated fleet; the two are never mixed.
LOLBIN_DATA_DIR ?= var/$(if $(EVENTS),events,simulated)
FEED = $(if $(EVENTS),--events '$(EVENTS)',$(if $(ELASTICSEARCH_URL),,--simulate))
# Quiet, and without a notice about newer versions of pip in the middle of the output.
PIP := $(VENV)/bin/python -m pip --quiet --disable-pip-version-check

.NOTPARALLEL:
.PHONY: help run test simulate test-es9 fuzz bench lint node clean

help:
	@echo 'make run       run the rules by their intervals until Ctrl-C, on events of a simulated Windows fleet;'
	@echo '               EVENTS=PATH feeds files instead, ELASTICSEARCH_URL=... uses a cluster'
	@echo 'make test      run all tests; ARGS="-k name" passes options on to pytest'
	@echo 'make simulate  run executions with random faults on a virtual clock: SEEDS=100000 worlds, from SEED_FROM=0 on'
	@echo 'make fuzz      compare queries with an Elasticsearch node (NODE_URL=...): 20,000 random ones, 10,000 in KQL, 5,000 in EQL'
	@echo 'make bench     measure the query languages, taking events in (EVENTS=PATH: those), and the embedded store'
	@echo '               beside an Elasticsearch node'
	@echo 'make lint      check style, format and types'
	@echo 'make node      run an Elasticsearch node at http://127.0.0.1:9200 until Ctrl-C (needs java and mvn)'
	@echo 'make test-es9  run the tests that speak to a node on 9.0.0 (needs a JDK 21 or newer, and mvn)'
	@echo 'make clean     remove .venv and everything that was built; data in var/ stay'
	@echo 'PYTHON=python3.12 make ... chooses the Python that .venv is made with'

run: $(VENV)/run.stamp
	@LOLBIN_DATA_DIR='$(LOLBIN_DATA_DIR)' $(VENV)/bin/python scheduler.py $(FEED) $(ARGS)

test: $(VENV)/dev.stamp
	$(VENV)/bin/python -m pytest $(ARGS)

# The last line printed is the figure; a seed in which anything is lost or doubled is told with the command to replay it.
SEEDS ?= 100000
SEED_FROM ?= 0
simulate: $(VENV)/dev.stamp
	PYTHONPATH=tests:. $(VENV)/bin/python -m simulated_executions --seeds $(SEEDS) --seed-from $(SEED_FROM)

# What speaks to a node.
ES9_TESTS ?= tests/store tests/main_job
test-es9: $(VENV)/dev.stamp
	env -u ELASTICSEARCH_URL LOLBIN_TEST_ELASTICSEARCH_VERSION=9.0.0 \
		$(VENV)/bin/python -m pytest -m elasticsearch $(ARGS) $(ES9_TESTS)

# FUZZ="--queries 1000 --seed 7" makes the first shorter, or another one; so do FUZZ_KQL and FUZZ_EQL.
NODE_URL ?= http://127.0.0.1:9200
FUZZ ?= --queries 20000 --documents 2000
FUZZ_KQL ?= --queries 10000 --documents 500
FUZZ_EQL ?= --queries 5000 --documents 500
fuzz: $(VENV)/dev.stamp
	PYTHONPATH=tests $(VENV)/bin/python -m fuzz.differential --url $(NODE_URL) $(FUZZ)
	PYTHONPATH=tests $(VENV)/bin/python -m fuzz.kql_differential --url $(NODE_URL) $(FUZZ_KQL)
	PYTHONPATH=tests $(VENV)/bin/python -m fuzz.eql_differential --url $(NODE_URL) $(FUZZ_EQL)

BENCH ?=
bench: $(VENV)/dev.stamp
	PYTHONPATH=tests:. $(VENV)/bin/python benchmarks/query_languages.py
	PYTHONPATH=tests:. $(VENV)/bin/python benchmarks/ingest.py $(if $(EVENTS),--events $(EVENTS))
	PYTHONPATH=tests:. $(VENV)/bin/python benchmarks/embedded_against_node.py $(BENCH)

lint: $(VENV)/dev.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

node:
	@$(PYTHON) tests/elasticsearch_node/node.py $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is written last, so an installation that was interrupted is taken up again.
$(VENV)/run.stamp: pyproject.toml
	$(call make_venv)
	@# Not every platform has the reader of EVTX files ready-made; without it everything else works.
	@$(PIP) install --only-binary evtx --editable '.[evtx]' 2>/dev/null || $(PIP) install --editable .
	@touch $@

$(VENV)/dev.stamp: pyproject.toml
	$(call make_venv)
	$(PIP) install --editable '.[dev]'
	@touch $@ $(VENV)/run.stamp

define make_venv
@command -v $(PYTHON) >/dev/null || { \
	echo '$(PYTHON) was not found, so nothing can run. Install Python 3.11 or newer, or name it: PYTHON=python3.12 make $(MAKECMDGOALS)' >&2; exit 1; }
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "$(PYTHON) is $$($(PYTHON) --version 2>&1), and Python 3.11 or newer is needed. Name a newer one: PYTHON=python3.12 make $(MAKECMDGOALS)" >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	echo '$(PYTHON) cannot make virtual environments, so nothing can be installed. Install the Debian package python3-venv.' >&2; exit 1; }
@echo 'Setting up $(VENV), once; this takes about a minute.'
@$(PYTHON) -m venv $(VENV)
endef
