#!/usr/bin/env bash
# Installs what is missing for: build, test, vm, e2e (each includes nothing of the others). Asks apt nothing when all is there.
#   usage: scripts/setup.sh GROUP...
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/packages.sh
source scripts/packages.sh
# shellcheck source=scripts/root.sh
source scripts/root.sh

fail() { echo "setup: $*" >&2; exit 1; }

# Waits for another apt instead of failing, and asks no questions.
apt() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 "$@"
}

# Keeps the servers among the packages from being started: the tests start their own. A policy that is there already stays.
without_services() {
  local policy=/usr/sbin/policy-rc.d
  if [ -e "$policy" ]; then "$@"; return; fi
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
  trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
  "$@"
  as_root rm -f "$policy"
  trap - EXIT
}

present() {
  case "$1" in
    /*) [ -e "$1" ] ;;
    py.*) python3 -c "import ${1#py.}" 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# The packages of the group, named by its array, whose command or file is missing.
missing_of() {
  local -n group="$1"
  local entry
  for entry in "${group[@]}"; do
    present "${entry%%:*}" || echo "${entry#*:}"
  done
}

[ $# -gt 0 ] || fail "usage: scripts/setup.sh {build|test|vm|e2e}..."
missing=()
for group in "$@"; do
  case "$group" in
    build) names=BUILD ;;
    test) names=TESTS ;;
    vm) names=VM ;;
    e2e) names=E2E ;;
    *) fail "unknown group '$group': build, test, vm or e2e" ;;
  esac
  mapfile -t -O "${#missing[@]}" missing < <(missing_of "$names")
done

if [ "${#missing[@]}" -gt 0 ]; then
  command -v apt-get >/dev/null || fail "apt-get is missing; install by hand what provides: ${missing[*]}"
  echo "setup: installing ${missing[*]}"
  can_be_root || fail "that needs root, and there is no sudo: install them by hand, or run this as root"
  # One source of several that cannot be reached is no reason to stop: the lists of the others are there.
  apt update || echo "setup: some of apt's lists could not be fetched" >&2
  without_services apt install --no-install-recommends "${missing[@]}"
fi

command -v cargo >/dev/null || fail "a Rust toolchain is missing: cargo is not in PATH"
case " $* " in
  *" vm "*) scripts/kernels.sh ;;
esac
