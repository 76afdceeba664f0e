PYTHON ?=
VENV := .venv
DEMO_VENV := .venv-demo
BENCH_VENV := .venv-bench

.DEFAULT_GOAL := help
.PHONY: help setup demo test lab check bench clean

# The first Python that is new enough and can make a virtual environment.
define find_python
for candidate in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		python=$$candidate; break; \
	fi; \
done; \
if [ -z "$${python:-}" ]; then \
	echo 'nbflow needs Python 3.11 or newer with the venv module (Debian: apt install python3-venv).' >&2; \
	echo 'None was found. Name one: make setup PYTHON=/path/to/python3' >&2; \
	exit 1; \
fi
endef

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.stamp ## make .venv with everything needed to work on nbflow

demo: $(DEMO_VENV)/.stamp ## run a small workflow and write its report, demo.html
	$(DEMO_VENV)/bin/python examples/demo.py --html demo.html

test: setup ## run the tests (options for pytest: make test ARGS='-k graph')
	$(VENV)/bin/python -m pytest $(ARGS)

lab: setup ## open the notebooks in JupyterLab
	$(VENV)/bin/jupyter lab $(ARGS) notebooks

check: setup ## lint, formatting, types, layers
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: $(BENCH_VENV)/.stamp ## measure what a call costs, beside other systems (half an hour)
	$(BENCH_VENV)/bin/python benchmarks/overhead.py $(ARGS)

clean: ## remove the environments, caches and build results
	rm -rf $(VENV) $(DEMO_VENV) $(BENCH_VENV) build dist demo.html .coverage .coverage.* htmlcov
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find nbflow tests examples benchmarks -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(VENV)/.stamp: EXTRAS := all,dev
$(DEMO_VENV)/.stamp: EXTRAS := demo
$(VENV)/.stamp $(DEMO_VENV)/.stamp: pyproject.toml
	@$(find_python); "$$python" -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	@touch $@

$(BENCH_VENV)/.stamp: pyproject.toml benchmarks/requirements.txt
	@$(find_python); "$$python" -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --editable . --requirement benchmarks/requirements.txt
	@touch $@
