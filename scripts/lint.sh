#!/usr/bin/env bash
# Everything that can be judged without running the product.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh build
cargo fmt --all --check
cargo fmt --manifest-path fuzz/Cargo.toml --check
# Its lock file names packages of this workspace, and is used only by hand.
cargo metadata --manifest-path fuzz/Cargo.toml --locked --format-version 1 >/dev/null
cargo clippy --quiet --workspace --all-targets --all-features --locked -- --deny warnings
cargo xtask architecture
scripts/deny.sh
