#!/usr/bin/env bash
# Measures what docs/benchmarks.md states. Probes need root, and a quiet machine gives better figures.
#   usage: scripts/bench.sh [WORD...]     words choose among the benchmarks of tests/bench
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/root.sh
source scripts/root.sh

scripts/setup.sh build test
[ $# -gt 0 ] || cargo bench --quiet --locked --package 'collector-*' --bench '*'
cargo_as_root bench --quiet --locked --package odigos-tests --bench '*' -- "$@"
