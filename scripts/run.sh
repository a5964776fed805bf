#!/usr/bin/env bash
# Builds `odigos` and runs its demo. Probes need root: without it, sudo asks for a password once the build is done.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/root.sh
source scripts/root.sh

can_be_root || { echo "run: tracing needs root, and there is no sudo: run this as root" >&2; exit 1; }
scripts/build.sh odigos
[ "$(id -u)" = 0 ] || echo "run: tracing needs root, so the demo is run by sudo"
as_root "${CARGO_TARGET_DIR:-target}/release/odigos" demo "$@"
