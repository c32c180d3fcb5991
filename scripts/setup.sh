#!/usr/bin/env bash
# Installs the packages that a fresh Debian or Ubuntu machine lacks. Idempotent; prints the command to run by hand if it
# cannot install one.
set -euo pipefail
say() { printf '%s\n' "$*" >&2; }

SUDO=
[ "$(id -u)" = 0 ] || SUDO=sudo
wanted=()
need() { # $1 = a command, the rest = the Debian packages that contain it
  command -v "$1" >/dev/null 2>&1 || wanted+=("${@:2}")
}
need cc build-essential
need perl perl
need protoc protobuf-compiler
need curl curl
need git git
need python3 python3
# The network crates link to the system's OpenSSL (.cargo/config.toml).
need pkg-config pkg-config
[ -e /usr/include/openssl/ssl.h ] || wanted+=(libssl-dev)
if ! command -v node >/dev/null 2>&1; then
  wanted+=(nodejs npm)
elif ! node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 18 || (a == 18 && b >= 19) ? 0 : 1)'; then
  say "Node.js $(node --version) is too old for the polkadot.js test; it needs 18.19 or newer"
fi

# rustup provides the wasm target if its server can be reached; otherwise Debian's compiler builds it.
rust_target_present() {
  command -v rustc >/dev/null 2>&1 && compgen -G "$(rustc --print sysroot)/lib/rustlib/wasm32v1-none/lib/libcore-*.rlib" >/dev/null
}

apt_install() {
  [ $# -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null 2>&1; then
    say "this machine has no apt-get; install by hand: $*"
    exit 1
  fi
  say "installing: $*"
  $SUDO env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  $SUDO env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null || {
    say "could not install; run by hand: sudo apt-get install $*"
    exit 1
  }
}
apt_install ${wanted[@]+"${wanted[@]}"}

export PATH="$HOME/.cargo/bin:$PATH"
if ! command -v cargo >/dev/null 2>&1; then
  say "installing Rust with rustup"
  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile default >/dev/null || {
    say "could not install Rust; see https://rustup.rs, then run this again"
    exit 1
  }
fi
if ! rust_target_present; then
  timeout 20 rustup target add wasm32v1-none >/dev/null 2>&1 || true
fi
if ! rust_target_present && ! { [ -x /usr/bin/rustc ] && [ -d /usr/lib/rustlib/src/rust/library ]; }; then
  apt_install rustc-web cargo-web rust-web-src libstd-rust-web-dev
fi
