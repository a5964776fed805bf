# The project's two commands are `make run` and `make test`; each installs what it needs. The rest is for work on a part.
.PHONY: run test lint build e2e kube bench fuzz vmtests help

run: ## install what is missing, build, and show traces of sample programs
	@scripts/run.sh

test: ## install what is missing and run every check and every test
	@scripts/test.sh

lint: ## formatting, clippy, licences and sources of dependencies, direction of dependency
	@scripts/lint.sh

build: ## the release binaries odigos, odiglet and odigos-collector
	@scripts/build.sh

e2e: ## our collector with the upstream one and the SDKs; WORDS choose among the tests
	@scripts/e2e.sh $(WORDS)

kube: ## the custom resources on a real apiserver; WORDS choose among the tests
	@scripts/kube.sh $(WORDS)

bench: ## the figures of docs/benchmarks.md
	@scripts/bench.sh

fuzz: ## each fuzz target for FUZZ_SECONDS (60)
	@scripts/fuzz.sh

vmtests: ## the probe tests on the kernels of scripts/kernels.sh
	@scripts/setup.sh build vm
	@cargo run --quiet --locked --package vmtests

help:
	@awk -F':.*## ' '/^[a-z]+:.*## / { printf "%-8s %s\n", $$1, $$2 }' Makefile
