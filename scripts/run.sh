#!/usr/bin/env bash
# Builds `odigos` and runs its demo. Probes need root: without it, sudo asks for a password once the build is done.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/root.sh
source scripts/root.sh

can_be_root || { echo "run: tracing needs root, and there is no sudo: run this as root" >&2; exit 1; }
scripts/build.sh odigos
profile="${BUILD_PROFILE:-release}"
# What is built by the profile `dev` lies in `debug`.
odigos="${CARGO_TARGET_DIR:-target}/${profile/#dev/debug}/odigos"
# In place of this script, so that a signal to end reaches it.
[ "$(id -u)" != 0 ] || exec "$odigos" demo "$@"
echo "run: tracing needs root, so the demo is run by sudo"
as_root "$odigos" demo "$@"
