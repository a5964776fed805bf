#!/usr/bin/env bash
# Licences, bans and sources of every dependency, as deny.toml has them; advisories where their database can be had.
set -euo pipefail
cd "$(dirname "$0")/.."

# Pinned, and built once: a debug build is ready three times sooner and checks this workspace in a second or two.
version=0.18.9
tools="${XDG_CACHE_HOME:-$HOME/.cache}/odigos-dev/tools/cargo-deny-$version"
if [ ! -x "$tools/bin/cargo-deny" ]; then
  echo "deny: building cargo-deny $version"
  # Outside of the workspace, whose linker and other settings are not meant for it.
  (cd / && cargo install --quiet --locked --debug --version "$version" --root "$tools" cargo-deny)
fi

deny() { "$tools/bin/cargo-deny" --log-level error --locked "$@"; }

deny check licenses bans sources
# The database comes by git from where not every machine may go; a minute is plenty where it may.
if GIT_TERMINAL_PROMPT=0 timeout 60 "$tools/bin/cargo-deny" --log-level off fetch db >/dev/null 2>&1; then
  deny check advisories
else
  echo "deny: advisories were not checked: their database could not be fetched"
fi
