#!/usr/bin/env bash
# Fetches the kernel images that the virtual machine tests boot: Debian's cloud kernels, unpacked, not installed.
# A series that is there already is left as it is; remove its directory to get its newest version. Debian 12
# with its backports has all of them. Where a distribution lacks one, a file says so in its place, and the tests go on
# without that kernel.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/root.sh
source scripts/root.sh

cache="${XDG_CACHE_HOME:-$HOME/.cache}/odigos-dev/kernels"

# Series and the packages that hold it; the newest one is taken, since only the newest stays on the servers.
declare -A pattern=(
  [6.1]='^linux-image-6\.1\.[0-9.-]+(\+deb12)?-cloud-amd64$'
  [6.12]='^linux-image-6\.12\.[0-9.-]+(\+deb1[23])?-cloud-amd64$'
)

updated=
newest() {
  apt-cache search --names-only "${pattern[$1]}" | cut -d' ' -f1 | sort -V | tail -n1
}

# Fails if any list could not be fetched, since what is missing then may be there after all.
update_once() {
  [ -z "$updated" ] || return "$updated"
  updated=1
  as_root apt-get -q -o DPkg::Lock::Timeout=600 -o APT::Update::Error-Mode=any update || return 1
  updated=0
}

# Downloads in a directory of its own, where apt's unprivileged downloader may write, and keeps only the image. Each step
# says whether it worked, since errexit is off in a function whose failure is asked for.
fetch() {
  local package="$1" target="$2" scratch status=0
  scratch="$(mktemp -d)"
  chmod 755 "$scratch"
  [ "$(id -u)" != 0 ] || chown _apt "$scratch"
  (
    cd "$scratch" &&
      apt-get -q download "$package" &&
      dpkg-deb --fsys-tarfile ./*.deb | tar -x --wildcards './boot/vmlinuz-*'
  ) && mkdir -p "$target" &&
    mv "$scratch"/boot/vmlinuz-* "$target/vmlinuz.new" &&
    mv "$target/vmlinuz.new" "$target/vmlinuz" &&
    rm -f "$target/unavailable" || status=1
  rm -rf "$scratch"
  return "$status"
}

# Notes that there is no package of a series.
lacks() {
  local series="$1" target="$2"
  mkdir -p "$target"
  echo "the distribution has no package of it; download another kernel's image and name it by 'vmtests --kernel'" >"$target/unavailable"
}

# Prints the newest package of a series; fails if the lists do not name one and may be incomplete.
find_package() {
  local series="$1" package
  command -v apt-cache >/dev/null || return 0
  package="$(newest "$series")"
  if [ -z "$package" ]; then
    update_once >&2 || { echo "kernels: apt's lists could not all be fetched, and the others name no package of series $series" >&2; return 1; }
    package="$(newest "$series")"
  fi
  echo "$package"
}

for series in 6.1 6.12; do
  target="$cache/$series"
  [ ! -s "$target/vmlinuz" ] || continue
  if [ ! -e "$target/unavailable" ]; then
    package="$(find_package "$series")"
    [ -n "$package" ] || lacks "$series" "$target"
  fi
  if [ -e "$target/unavailable" ]; then
    echo "kernels: series $series is left out: $(<"$target/unavailable")" >&2
    continue
  fi
  echo "kernels: fetching $package"
  fetch "$package" "$target" || {
    # The lists may name a version that the servers have replaced since.
    update_once || echo "kernels: some of apt's lists could not be fetched" >&2
    fetch "$(newest "$series")" "$target"
  }
done
