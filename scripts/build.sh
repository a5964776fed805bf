#!/usr/bin/env bash
# Builds the release binaries, or those that are named.
#   usage: scripts/build.sh [BINARY...]     BUILD_PROFILE names another profile than release
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh build
binaries=("$@")
[ $# -gt 0 ] || binaries=(odigos odiglet odigos-collector)
cargo build --profile "${BUILD_PROFILE:-release}" --locked "${binaries[@]/#/--bin=}"
