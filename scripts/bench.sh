#!/usr/bin/env bash
# Measures what docs/benchmarks.md states, with the product built for release. Words after it choose benchmarks by name.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh build test
scripts/build.sh
exec cargo bench --locked --package odigos-tests -- "$@"
