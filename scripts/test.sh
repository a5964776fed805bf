#!/usr/bin/env bash
# Every check and every test, each stage with the time it took; the first stage that fails ends the run.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/root.sh
source scripts/root.sh

times=()
stage() {
  local name="$1" begin=$SECONDS
  shift
  echo "== $name"
  "$@" || { echo "== $name failed after $((SECONDS - begin)) s" >&2; exit 1; }
  times+=("$name: $((SECONDS - begin)) s")
}

stage setup scripts/setup.sh build test vm
stage lint scripts/lint.sh
stage test cargo_as_root test --locked --workspace
# What users build, with the features of each binary by itself; and that every fuzz target builds and stands a second.
stage release scripts/build.sh
stage fuzz env FUZZ_SECONDS=1 scripts/fuzz.sh
stage vmtests cargo_as_root run --quiet --locked --package vmtests -- --host --series 6.1 --series 6.12 --series 6.1-preempt --series 6.12-preempt
printf '== %s\n' "${times[@]}"
