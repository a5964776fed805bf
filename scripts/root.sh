# shellcheck shell=bash
# How a step becomes root: packages and eBPF programs need it. Sourced.

can_be_root() {
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null
}

# Runs a command as root: at once where we are root, otherwise by sudo, which may ask for a password. It finds what our
# PATH finds.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo env "PATH=$PATH" "$@"; fi
}

# Runs cargo as root with our toolchain and with what we have downloaded. What it writes goes to folders of its own below
# target/root, so that nothing of ours comes to belong to root.
cargo_as_root() {
  if [ "$(id -u)" = 0 ]; then
    cargo "$@"
    return
  fi
  cargo fetch --quiet --locked || return
  as_root env "CARGO_HOME=${CARGO_HOME:-$HOME/.cargo}" "RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}" \
    "XDG_CACHE_HOME=${XDG_CACHE_HOME:-$HOME/.cache}" "GOCACHE=$PWD/target/root/go-build" \
    "CARGO_TARGET_DIR=$PWD/target/root" cargo "$@"
}
