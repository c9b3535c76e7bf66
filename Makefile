# Tasks for people and CI. `make` lists them.
.DEFAULT_GOAL := help
CARGO := cargo
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Run the whole suite on sample data in one process
	@$(CARGO) run --release -- demo

.PHONY: build
build: ## Build every binary and test (debug)
	@$(CARGO) build --locked --workspace --bins --tests

.PHONY: release
release: ## Build every binary (optimised)
	@$(CARGO) build --locked --workspace --bins --release

.PHONY: test
test: lint-proto build ## Install what the tests need, then run every test
	@for tool in node python postgres prometheus helm; do "tests/setup/$$tool.sh" >/dev/null || exit; done
	@tests/setup/pgbouncer.sh >/dev/null || echo "!!!! pgbouncer cannot be installed here: poolers are not tested" >&2
	@tests/setup/contestants.sh >/dev/null || echo "!!!! dlt and dbt cannot be installed here: the benchmark is tested without them" >&2
	@tests/setup/chromium.sh >/dev/null || echo "!!!! Chromium cannot be installed here: the console is tested without a browser" >&2
	@tests/setup/jaeger.sh >/dev/null || echo "!!!! Jaeger cannot be built here: traces are tested with the in-process collector alone" >&2
	@tests/run.sh

.PHONY: test-unit
test-unit: ## Run every test but the end-to-end suite
	@$(CARGO) test --locked --workspace --exclude e2e

.PHONY: test-e2e
test-e2e: build ## Run the end-to-end suite; ONLY=name picks tests
	@$(CARGO) test --locked --package e2e -- $(ONLY)

.PHONY: test-upgrade
test-upgrade: ## Upgrade from an earlier revision in the middle of runs, and roll back; PREVIOUS=rev, by default the newest release
	@tests/upgrade.sh $(PREVIOUS)

.PHONY: test-abuse
test-abuse: build ## Abuse a server in every way that the suite knows, and print what a valid caller notices
	@E2E_ABUSE=full $(CARGO) test --locked --package e2e -- --ignored --nocapture --test-threads 1 abuse::

.PHONY: test-chart
test-chart: build ## Run the tests of the Helm chart; UPDATE_GOLDEN=1 accepts the two golden renderings as they are
	@tools="$$(tests/setup/python.sh)" && "$$tools/bin/pytest" tests/chart

.PHONY: chart-pipelines
chart-pipelines: ## Copy the pipeline files into the chart, which can ship only files of its own
	@cp services/coordinator/pipeline.yaml helm/company-activity/files/pipelines/daily.yaml
	@cp docs/pipelines/with-events.yaml helm/company-activity/files/pipelines/with-events.yaml

.PHONY: chart-readme
chart-readme: ## Write the chart's README from the comments of its values
	@tools="$$(tests/setup/helm.sh)" && "$$tools/bin/helm-docs" --chart-search-root helm/company-activity --sort-values-order file --log-level warning

.PHONY: lint
lint: lint-format lint-clippy lint-proto lint-queries lint-deny lint-shell lint-policy ## Check format, lints, contracts, queries, dependencies, scripts and manifests

.PHONY: lint-format
lint-format: ## Check the format
	@$(CARGO) fmt --all --check

.PHONY: lint-clippy
lint-clippy: ## Run clippy; warnings are errors
	@$(CARGO) clippy --locked --workspace --all-targets -- --deny warnings

.PHONY: lint-proto
lint-proto: ## Lint the gRPC contracts, and compare them with the last revision on main
	@tools="$$(tests/setup/node.sh)" && cd proto && "$$tools/node_modules/.bin/buf" lint
	@proto/check-breaking.sh

.PHONY: lint-queries
lint-queries: ## Check that .sqlx is up to date and that no migration has changed
	@tests/setup/postgres.sh >/dev/null
	@crates/warehouse/check-queries.sh

.PHONY: lint-deny
lint-deny: ## Check licences, bans and sources of all dependencies
	@tools="$$(tests/setup/cargo-deny.sh)" && "$$tools/bin/cargo-deny" --locked check --hide-inclusion-graph bans licenses sources

.PHONY: format
format: ## Format the code
	@$(CARGO) fmt --all

.PHONY: bench
bench: ## Measure the daily run beside what people use, growth, queries, footprint (under 40 minutes); ARGS="--only journey"
	@tests/setup/postgres.sh >/dev/null
	@$(CARGO) build --locked --release --workspace --bins --package e2e --examples
	@others="$$(tests/setup/contestants.sh)" || echo "!!!! dlt and dbt cannot be installed here: the benchmark runs without them" >&2; \
	  E2E_BIN_DIR="$(TARGET)/release" "$(TARGET)/release/examples/daily_run" --out "$(TARGET)/bench" \
	  $${others:+--python "$$others/bin/python"} $(ARGS)

.PHONY: bench-smoke
bench-smoke: ## Run that benchmark at tiny size, and check that every section has figures and ours are exact
	@$(CARGO) build --locked --workspace --bins --tests --examples
	@$(CARGO) test --locked --workspace --test benchmark -- --nocapture

.PHONY: bench-docs
bench-docs: ## Write the results of the newest `make bench` into docs/benchmarks.md and its pictures
	@$(CARGO) run --locked --quiet --release --package e2e --example daily_run -- --out "$(TARGET)/bench" --write-docs

.PHONY: bench-memory
bench-memory: ## Measure the peak memory of two backfills, one ten times as large
	@$(CARGO) build --locked --release --package activityctl --package e2e --bins --example peak_memory
	@E2E_BIN_DIR="$(TARGET)/release" "$(TARGET)/release/examples/peak_memory"

.PHONY: bench-service-memory
bench-service-memory: ## Measure the memory of each service while a day of 100,000 companies is published
	@tests/setup/postgres.sh >/dev/null
	@$(CARGO) build --locked --release --workspace --bins --package e2e --example service_memory
	@E2E_BIN_DIR="$(TARGET)/release" "$(TARGET)/release/examples/service_memory"

.PHONY: bench-pages
bench-pages: ## Measure how long one day of the product API takes, beside a loop over its pages
	@$(CARGO) build --locked --release --package activityctl --package e2e --bins --example page_fetching
	@E2E_BIN_DIR="$(TARGET)/release" "$(TARGET)/release/examples/page_fetching"

.PHONY: bench-warehouse
bench-warehouse: ## Measure the storage engines against bare SQL; ARGS="--help" lists what can be set
	@tests/setup/postgres.sh >/dev/null
	@$(CARGO) build --locked --release --package benchmarks
	@"$(TARGET)/release/warehouse-benchmark" $(ARGS)

.PHONY: bench-tracing
bench-tracing: ## Measure what tracing costs a run over a new day
	@$(CARGO) build --locked --release --package activityctl --package e2e --bins --example tracing_overhead
	@E2E_BIN_DIR="$(TARGET)/release" "$(TARGET)/release/examples/tracing_overhead"

.PHONY: bench-query
bench-query: ## Measure queries beside pgbench and \copy; ARGS="100000 30" sets the numbers of companies and days
	@tests/setup/postgres.sh >/dev/null
	@$(CARGO) build --locked --release --package activityctl --package e2e --bins --example query_speed
	@E2E_BIN_DIR="$(TARGET)/release" "$(TARGET)/release/examples/query_speed" $(ARGS)

.PHONY: bench-proof
bench-proof: ## Measure what certificates and tokens cost queries; ARGS=10000 sets the number of companies
	@tests/setup/postgres.sh >/dev/null
	@$(CARGO) build --locked --release --package activityctl --package e2e --bins --example query_overhead
	@E2E_BIN_DIR="$(TARGET)/release" "$(TARGET)/release/examples/query_overhead" $(ARGS)

.PHONY: bench-console
bench-console: ## Measure how long each page of the console takes; ARGS="100000 400" sets the numbers of companies and days
	@tests/setup/postgres.sh >/dev/null && tests/setup/chromium.sh >/dev/null
	@$(CARGO) build --locked --release --package activityctl --package console --package e2e --bins --example console_paint
	@E2E_BIN_DIR="$(TARGET)/release" "$(TARGET)/release/examples/console_paint" $(ARGS)

.PHONY: lint-shell
lint-shell: ## Check the shell scripts
	@shellcheck="$$(tests/setup/shellcheck.sh)" && "$$shellcheck" --external-sources --source-path SCRIPTDIR --severity warning $$(git ls-files '*.sh' .ci/run)

.PHONY: lint-policy
lint-policy: ## Validate manifests and check them, the rendered chart and the Dockerfile against security policies
	@k8s/render.sh --check
	@tools="$$(tests/setup/policy.sh)" && "$$tools/bin/python" tests/policy/check.py

.PHONY: k8s-render
k8s-render: ## Render the chart with its defaults to k8s/rendered
	@k8s/render.sh

.PHONY: kind-up
kind-up: ## Install the suite and everything it needs in a cluster in Docker
	@k8s/kind/up.sh

.PHONY: kind-down
kind-down: ## Remove that cluster
	@k8s/kind/down.sh

.PHONY: image
image: ## Build the image of the commit; ARGS goes to docker buildx build
	@docker/build.sh $(ARGS)

.PHONY: sbom
sbom: ## Write the bills of materials (CycloneDX) to target/sbom
	@docker/sbom.sh

.PHONY: clean
clean: ## Remove what was built
	@$(CARGO) clean
