#!/usr/bin/env bash
# Builds `odigos` and runs its demo. Probes need root: without it, sudo asks for a password once the build is done.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh odigos
odigos="${CARGO_TARGET_DIR:-target}/release/odigos"
if [ "$(id -u)" = 0 ]; then
  exec "$odigos" demo "$@"
else
  exec sudo "$odigos" demo "$@"
fi
