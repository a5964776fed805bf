#!/usr/bin/env bash
# Runs each fuzz target, or those that are named, for FUZZ_SECONDS (60) each. What they find is kept in fuzz/artifacts.
#   usage: scripts/fuzz.sh [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh build
seconds="${FUZZ_SECONDS:-60}"
target=x86_64-unknown-linux-gnu
# Coverage by counters and compared values, as libFuzzer wants it. Naming the target keeps the flags from build scripts.
export RUSTFLAGS="--cfg fuzzing -C passes=sancov-module -C codegen-units=1 -C llvm-args=-sanitizer-coverage-level=4 \
  -C llvm-args=-sanitizer-coverage-inline-8bit-counters -C llvm-args=-sanitizer-coverage-pc-table \
  -C llvm-args=-sanitizer-coverage-trace-compares"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/fuzz"
cargo build --quiet --release --locked --manifest-path fuzz/Cargo.toml --target "$target"

targets=("$@")
if [ $# -eq 0 ]; then
  for file in fuzz/targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
fi
for name in "${targets[@]}"; do
  echo "== $name for $seconds s"
  mkdir -p "fuzz/corpus/$name" "fuzz/artifacts/$name"
  # An executable of a gigabyte is refused by its size; a small input that takes that much memory is a find.
  "$CARGO_TARGET_DIR/$target/release/$name" -max_total_time="$seconds" -rss_limit_mb=1024 -timeout=10 -max_len=65536 \
    -print_final_stats=1 -artifact_prefix="fuzz/artifacts/$name/" "fuzz/corpus/$name" 2>&1 | tail -n 12
done
