# shellcheck shell=bash disable=SC2034
# What the build, the tests and the virtual machines need of the distribution: the one place that says so. Sourced by
# setup.sh. An entry is `command-or-file:package`, or `py.MODULE:package`; a package is installed only where the command, file or
# module is missing.

# clang compiles the eBPF programs, libelf and zlib are linked into the loader, mold links everything else.
BUILD=(
  gcc:gcc
  clang:clang
  mold:mold
  pkg-config:pkg-config
  make:make
  /usr/include/libelf.h:libelf-dev
  /usr/include/zlib.h:zlib1g-dev
  /usr/include/linux/bpf.h:linux-libc-dev
)

# The runtimes and servers that the tests observe, from Debian where the machine has no others; compilers for programs of
# another C library and of another machine; a load generator.
TESTS=(
  g++:g++
  java:default-jdk-headless
  node:nodejs
  python3:python3
  go:golang-go
  ruby:ruby
  php:php-cli
  /usr/sbin/nginx:nginx-light
  /usr/bin/redis-server:redis-server
  /usr/bin/pg_ctlcluster:postgresql
  /usr/sbin/mariadbd:mariadb-server
  musl-gcc:musl-tools
  aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu
  /usr/aarch64-linux-gnu/include/stdio.h:libc6-dev-arm64-cross
  curl:curl
  wrk:wrk
)

# tests/interop: what runs its programs, and what fetches their packages; what builds the upstream collector; what makes
# certificates.
E2E=(
  python3:python3
  py.ensurepip:python3-venv
  node:nodejs
  npm:npm
  java:default-jdk-headless
  mvn:maven
  go:golang-go
  openssl:openssl
)

# An emulator for the kernels of scripts/kernels.sh, without its recommended packages: no screen, no sound; and what
# compiles the programs that are observed there.
VM=(
  go:golang-go
  qemu-system-x86_64:qemu-system-x86
  /usr/share/seabios/bios-256k.bin:seabios
)
