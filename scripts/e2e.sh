#!/usr/bin/env bash
# Our collector with the upstream one and the OpenTelemetry SDKs of Python, Node and Java (tests/interop). Builds the
# upstream collector once, and keeps it, the SDKs and what fetching them leaves in ~/.cache/odigos-dev.
#   usage: scripts/e2e.sh [WORD...]     words choose among the tests
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh build e2e
cache="${XDG_CACHE_HOME:-$HOME/.cache}/odigos-dev"
export PEERS_DIR="$cache/peers" SDKS="$cache/interop"
tests/peers/build.sh
export PEER="$PEERS_DIR/otelcol-peer"
cargo build --quiet --locked --package odigos-collector
if [ $# -eq 0 ]; then
  OTELCOL="$PEER" cargo test --quiet --locked --package controllers-core --features upstream --test it upstream
fi
export COLLECTOR="${CARGO_TARGET_DIR:-$PWD/target}/debug/odigos-collector"

# Installs the SDK of a language, unless it is there as these files of locked versions say.
sdk() {
  local language="$1"
  shift
  cat "${@/#/tests/interop/$language/}" | cmp --silent - "$SDKS/$language.lock" && return
  echo "e2e: fetching the SDK of $language"
  rm -rf "${SDKS:?}/$language" "$SDKS/$language.lock"
  mkdir -p "$SDKS/$language"
  "install_$language"
  cat "${@/#/tests/interop/$language/}" >"$SDKS/$language.lock"
}
install_python() {
  python3 -m venv "$SDKS/python"
  "$SDKS/python/bin/pip" install --quiet --cache-dir "$cache/pip" --disable-pip-version-check \
    --require-hashes --only-binary :all: --requirement tests/interop/python/requirements.txt
}
install_node() {
  cp tests/interop/node/package.json tests/interop/node/package-lock.json "$SDKS/node/"
  npm ci --silent --ignore-scripts --no-audit --no-fund --cache "$cache/npm" --prefix "$SDKS/node"
}
install_java() {
  mvn --batch-mode --quiet -Dstyle.color=never --file tests/interop/java/pom.xml "-Dmaven.repo.local=$cache/m2" \
    dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$SDKS/java"
  # Maven locks versions, not contents.
  (cd "$SDKS/java" && sha256sum --quiet --strict --check) <tests/interop/java/jars.sha256
}
sdk python requirements.txt
sdk node package-lock.json
sdk java pom.xml jars.sha256
cp tests/interop/node/emit.js "$SDKS/node/"

exec python3 -B tests/interop/run.py "$@"
