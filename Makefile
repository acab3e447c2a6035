# `make demo` and `make test` need Python 3.9 to 3.12 and a network to PyPI, nothing else.
# The environment is .venv; an existing one is used again.

VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip install --disable-pip-version-check
# A pip index of CPU builds of torch, which are smaller than PyPI's: see INSTALL.md.
TORCH_INDEX :=
# Arguments for pytest, such as "-m 'not slow'" or a folder.
PYTEST_ARGS :=
# Two processes; the ten slowest tests are listed at the end.
PYTEST := $(PYTHON) -m pytest --numprocesses 2 --dist loadscope --durations 10

.PHONY: help demo protocol-demo test test-all check format docs clean

help:
	@echo "make demo      make demo data, train ACL on three domains, evaluate on the fourth"
	@echo "make protocol-demo"
	@echo "               Protocol 2 on the demo data: four targets, two seeds, one table; run again,"
	@echo "               it continues where it stopped"
	@echo "make test      run the tests that continuous integration runs: all but those marked zoo;"
	@echo "               PYTEST_ARGS=\"-m 'not slow'\" runs those under ten seconds"
	@echo "make test-all  run every test"
	@echo "make check     check the format (ruff), lint (ruff) and check the types (mypy)"
	@echo "make format    repair what ruff can, and format the code"
	@echo "make docs      build the documentation site in site/ (Python 3.11 or later)"
	@echo "make clean     remove .venv, caches and logs"

demo: $(VENV)/.demo
	$(PYTHON) tools/demo.py

protocol-demo: $(VENV)/.demo
	$(PYTHON) tools/make_demo_data.py --root datasets/demo
	FASTREID_DATASETS=datasets/demo $(PYTHON) tools/run_protocol.py --protocol 2 --method ACL-demo \
		--seeds 2 --num-gpus 2 --output logs/protocol_demo

test: $(VENV)/.test
	$(PYTEST) $(PYTEST_ARGS)

test-all: $(VENV)/.test
	$(PYTEST) --zoo $(PYTEST_ARGS)

check: $(VENV)/.test
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy

format: $(VENV)/.test
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict

clean:
	rm -rf $(VENV) logs build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache rank_*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.demo: requirements.txt requirements-demo.txt | $(PYTHON)
	$(PIP) --requirement requirements-demo.txt
	@touch $@

$(VENV)/.docs: requirements-docs.txt | $(PYTHON)
	$(PIP) --requirement requirements-docs.txt
	@touch $@

$(VENV)/.test: requirements-docs.txt requirements.txt requirements-demo.txt requirements-test.txt | $(PYTHON)
	$(PIP) --requirement requirements-test.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
	@touch $@ $(VENV)/.demo $(VENV)/.docs

# A name on PATH may be a shim that fails or the wrong version, so each candidate is run.
$(PYTHON):
	@for candidate in python3.11 python3.12 python3.10 python3.9 python3 python; do \
		if $$candidate -c 'import sys, ensurepip, venv; sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 12))' \
				>/dev/null 2>&1; then \
			echo "Making $(VENV) with $$candidate"; \
			exec $$candidate -m venv $(VENV); \
		fi; \
	done; \
	echo "No Python 3.9 to 3.12 with the venv module is on PATH (on Debian and Ubuntu: apt install" \
		"python3-venv). Or make an environment of your own in $(VENV)." >&2; \
	exit 1
