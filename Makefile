# Every target's own comment is its line in `make help`.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help install demo down celery-up celery-down spark-up spark-down test-spark wheel clean test laws chaos chaos-airflow mutants bench lint types imports yaml validate check format

BIN := .venv/bin
STAMP := .venv/.installed
SPARK := .venv/.spark

# Run as ONCE=1 S3_PORT=8433 AIRFLOW_PORT=8180 make demo, or make demo ONCE=1 ...
export ONCE KILL S3_PORT AIRFLOW_PORT SPARK_PORT

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## install everything into .venv (with uv, which is fetched if missing); quick when up to date

$(STAMP): uv.lock pyproject.toml .ci/install
	@bash .ci/install && touch $@

$(SPARK): $(STAMP)
	@bash .ci/install --extra spark && touch $@

demo: install ## run the whole pipeline here, with a UI; ONCE=1 exits after the summary; S3_PORT, AIRFLOW_PORT choose ports
	@$(BIN)/python -m strandline.local.demo

down: ## stop what a demo left running
	@if $(BIN)/python -c 'import psutil, rich' 2>/dev/null; then $(BIN)/python -m strandline.local.demo --down; fi

celery-up: install ## the demo on Celery workers with PostgreSQL and Redis, one worker killed on the way (KILL=0: none); ONCE=1 as above
	@$(BIN)/python -m strandline.local.celery_up

celery-down: ## stop what celery-up left running
	@if $(BIN)/python -c 'import psutil, rich' 2>/dev/null; then $(BIN)/python -m strandline.local.celery_up --down; fi

spark-up: $(SPARK) ## a Spark cluster on this machine: a master, two workers, Spark Connect; SPARK_PORT chooses its ports
	@$(BIN)/python -m strandline.local.spark_up

spark-down: ## stop what spark-up started; its S3 server stays for `make down`
	@if $(BIN)/python -c 'import psutil, rich' 2>/dev/null; then $(BIN)/python -m strandline.local.spark_up --down; fi

test-spark: install ## run the tests that need Spark; skipped, with the reason, where `make spark-up` never ran
	$(BIN)/python -m pytest -q -rs tests/spark

wheel: install ## build the wheel of strandline and operators into dist/
	@rm -f dist/strandline-*.whl
	@uv=uv; $$uv --version >/dev/null 2>&1 || uv=.local/uv/bin/uv; UV_SYSTEM_CERTS=$${UV_SYSTEM_CERTS:-1} $$uv build --quiet --wheel --out-dir dist && ls dist/*.whl

clean: down celery-down spark-down ## remove the demo's data (.local, .airflow) and caches; not .venv
	@rm -rf .airflow .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@if [ -d .local ]; then find .local -mindepth 1 -maxdepth 1 ! -name uv -exec rm -rf {} +; fi

test: install ## run the tests (those that need Spark: test-spark)
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --ignore=tests/spark

laws: install ## try the laws on 10,000 random histories of 30 steps, on all cores; STRANDLINE_HISTORIES=200 make laws for fewer
	$(BIN)/python -m tests.laws $(LAWS)

chaos: install ## kill every step at its storage requests, hurt it by seeded faults, race 200 rounds; CHAOS="--kills 9999", OVERLAP="--rounds 20"
	$(BIN)/python -m tests.chaos $(CHAOS)
	$(BIN)/python -m tests.chaos.overlap $(OVERLAP)

chaos-airflow: install ## kill a running demo's scheduler, tasks and all at random moments, then an outage of two hours; AIRFLOW="--kills 3"
	$(BIN)/python -m tests.chaos.airflow $(AIRFLOW)

mutants: install ## make deliberate mistakes in a copy of the core: each must be caught by the quick tests
	$(BIN)/python -m tests.mutants $(MUTANTS)

bench: install ## measure against hand-written peers and the limit (minutes); SIZE=full for the figures in docs/performance.md
	$(BIN)/python -m benchmarks --size $(or $(SIZE),small) $(BENCH)

lint: install ## check style: ruff, and yamllint on the YAML
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/yamllint --strict .

types: install ## check types: mypy, strict
	$(BIN)/mypy

imports: install ## check the directions of imports
	$(BIN)/lint-imports

yaml: install ## check the schemas, and the YAML against them
	$(BIN)/check-jsonschema --check-metaschema schemas/*.json
	$(BIN)/check-jsonschema --schemafile schemas/stream.schema.json config/streams/*.yaml
	$(BIN)/check-jsonschema --schemafile schemas/dag.schema.json config/dags/*.yaml
	$(BIN)/check-jsonschema --schemafile schemas/defaults.schema.json config/defaults.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

validate: install ## check config/: one line a file, every problem with its place and a hint
	@$(BIN)/strandline validate

check: lint types imports yaml validate ## everything that must be green besides the tests

format: install ## put the code into shape: ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
