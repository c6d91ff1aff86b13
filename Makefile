# The habits of this project. `make help` lists them.
SHELL := /bin/bash -euo pipefail
.DEFAULT_GOAL := help
.PHONY: help run test check fmt lint unit generate docs bench build images cluster cluster-down \
        test-standalone test-cluster sdk fuzz soak

CARGO_TEST = cargo test --quiet
# PROFILE=dev builds quicker and runs slower.
PROFILE ?= release
PROGRAMS = target/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
# What runs is optimised by how often what ran under the loads of `make bench`; tests/bench/profile records it anew.
OPTIMISED = $(if $(filter release,$(PROFILE)),RUSTFLAGS="$(RUSTFLAGS) -Cprofile-use=$(CURDIR)/proxy/profile.profdata -Cllvm-args=-no-pgo-warn-mismatch")
IMAGES = target/images
# How long each fuzz target runs, and which; all if none is named.
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=
CLUSTER ?= dragoman

help: ## Lists what there is.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

run: build ## Runs the proxy with a simulated LLM, and prints what to try.
	@examples/standalone/run $(PROGRAMS)

test: lint unit test-standalone test-cluster ## Everything that must pass: format, lints, units, and the whole system on a real cluster.
	@echo "make test: everything passed"

check: ## The quick loop: format, lints and unit tests.
	tests/redis
	tests/postgres
	cargo fmt --check
	cargo clippy --quiet --workspace --all-targets -- --deny warnings
	$(CARGO_TEST) --workspace --exclude dragoman-system

fmt: ## Formats the code.
	cargo fmt

lint: ## Format, lints, fuzz targets, generated files, manifests.
	cargo fmt --check
	cargo clippy --quiet --workspace --all-targets -- --deny warnings
	CARGO_TARGET_DIR=target/fuzz cargo check --quiet --locked --manifest-path proxy/fuzz/Cargo.toml
	tests/system/generated-files-are-current
	tests/system/features-name-real-tests
	tests/system/proxy-never-links-the-kube-client

unit: ## Unit tests, and the tests of each crate.
	tests/redis
	tests/postgres
	$(CARGO_TEST) --workspace --exclude dragoman-system

generate: ## Writes the CRDs and the reference from the types.
	cargo run --quiet --package dragoman-crds --bin crdgen .

docs: generate ## The reference, and the crates' own documentation.
	cargo doc --workspace --no-deps

build: ## One release build of everything that runs, static so that it fits an image.
	@for program in proxy operator simulator; do \
	  $(OPTIMISED) cargo rustc --quiet --profile $(PROFILE) --package dragoman-$$program --bin dragoman-$$program -- -C target-feature=+crt-static; \
	done

images: build ## Image archives of the programs, in target/images, without a container engine.
	@mkdir -p $(IMAGES)
	@for program in proxy operator simulator; do \
	  tests/cluster/image -o $(IMAGES)/dragoman-$$program.tar dragoman-$$program:0.1.0 $(PROGRAMS)/dragoman-$$program; \
	done

fuzz: ## Feeds every parser what strangers might send, on stable Rust: FUZZ_SECONDS=60 each, FUZZ_TARGETS="streams think" alone.
	proxy/fuzz/run $(FUZZ_SECONDS) $(FUZZ_TARGETS)

soak: build ## What takes long and finds more by it: Postgres away for ten minutes at 1,000 requests a second, and every fuzz target for ten minutes.
	tests/postgres
	DRAGOMAN_OUTAGE_SECONDS=600 DRAGOMAN_OUTAGE_RATE=1000 DRAGOMAN_PROGRAMS=$(CURDIR)/$(PROGRAMS) \
	  cargo test --release --quiet --package dragoman-system --test it -- --nocapture a_database_that_is_away
	proxy/fuzz/run 600

bench: ## Measures the proxy beside nginx; figures as in docs/performance.md.
	$(OPTIMISED) cargo build --quiet --release --package dragoman-proxy --bin dragoman-proxy
	$(OPTIMISED) cargo run --quiet --release --package dragoman-bench -- --proxy target/release/dragoman-proxy

cluster: images ## A real one-node cluster with Dragoman and the examples; prints how to use it.
	tests/cluster/up $(CLUSTER)
	tests/system/install $(CLUSTER) $(IMAGES)
	tests/system/walk $(CLUSTER)

cluster-down: ## Takes that cluster away again.
	tests/cluster/down $(CLUSTER)

sdk: ## The official SDKs for the whole-system tests, in target/sdk.
	tests/system/sdk/install target/sdk

test-standalone: build sdk ## The whole system without a cluster.
	tests/redis
	tests/postgres
	tests/browser
	DRAGOMAN_PROGRAMS=$(CURDIR)/$(PROGRAMS) $(CARGO_TEST) --package dragoman-system --test it -- standalone

test-cluster: images sdk ## The whole system on a real cluster of its own.
	tests/system/on-a-cluster
