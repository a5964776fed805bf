#!/usr/bin/env bash
# Our collector with the upstream one and the OpenTelemetry SDKs of Python, Node and Java (tests/interop). Builds the
# upstream collector once, and keeps it and the SDKs in the cache.
#   usage: scripts/e2e.sh [WORD...]     words choose among the tests
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh build test e2e
cache="${XDG_CACHE_HOME:-$HOME/.cache}/odigos-dev"
export PEERS_DIR="$cache/peers" SDKS="$cache/interop"
tests/peers/build.sh
export PEER="$PEERS_DIR/otelcol-peer"
cargo build --quiet --locked --package odigos-collector
export COLLECTOR="${CARGO_TARGET_DIR:-$PWD/target}/debug/odigos-collector"

# Installs the SDK of a language, unless it is there as this file of locked versions says.
sdk() {
  local language="$1" lock="tests/interop/$2"
  cmp --silent "$lock" "$SDKS/$language.lock" && return
  rm -rf "${SDKS:?}/$language"
  mkdir -p "$SDKS/$language"
  "install_$language"
  cp "$lock" "$SDKS/$language.lock"
}
install_python() {
  python3 -m venv "$SDKS/python"
  "$SDKS/python/bin/pip" install --quiet --require-hashes --requirement tests/interop/python/requirements.txt
}
install_node() {
  cp tests/interop/node/package.json tests/interop/node/package-lock.json "$SDKS/node/"
  npm ci --silent --ignore-scripts --no-audit --prefix "$SDKS/node"
}
install_java() {
  mvn --batch-mode --quiet --file tests/interop/java/pom.xml dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$SDKS/java"
}
sdk python python/requirements.txt
sdk node node/package-lock.json
sdk java java/pom.xml
cp tests/interop/node/emit.js "$SDKS/node/"

python3 tests/interop/run.py "$@"
