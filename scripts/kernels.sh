#!/usr/bin/env bash
# Fetches the kernel images that the virtual machine tests boot: Debian's cloud kernels, unpacked, not installed.
# A series that is there already is left as it is; remove its directory to get its newest version.
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

update_once() {
  [ -z "$updated" ] || return 0
  updated=yes
  as_root apt-get -q -o DPkg::Lock::Timeout=600 update || echo "kernels: some of apt's lists could not be fetched" >&2
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
    mv "$target/vmlinuz.new" "$target/vmlinuz" || status=1
  rm -rf "$scratch"
  return "$status"
}

for series in 6.1 6.12; do
  target="$cache/$series"
  [ ! -s "$target/vmlinuz" ] || continue
  package="$(newest "$series")"
  if [ -z "$package" ]; then
    update_once
    package="$(newest "$series")"
  fi
  [ -n "$package" ] || { echo "kernels: no package of series $series; name an image by 'vmtests --kernel'" >&2; exit 1; }
  echo "kernels: fetching $package"
  fetch "$package" "$target" || {
    # The lists may name a version that the servers have replaced since.
    update_once
    fetch "$(newest "$series")" "$target"
  }
done
