#!/usr/bin/env bash
# Provides a Rust toolchain that compiles to wasm32v1-none and prints its name ("" = the default one): rustup's, or
# Debian's rustc with its sources if rustup's server cannot be reached.
set -euo pipefail
TARGET=wasm32v1-none
say() { printf '%s\n' "$*" >&2; }
SUDO=
[ "$(id -u)" = 0 ] || SUDO=sudo

has_target() { # $1 = sysroot
  compgen -G "$1/lib/rustlib/$TARGET/lib/libcore-*.rlib" >/dev/null
}

if has_target "$(rustc --print sysroot)"; then exit 0; fi
if [ -x /usr/bin/rustc ] && has_target /usr && rustup toolchain list | grep -q '^debian'; then echo debian; exit 0; fi
if [ -z "${AGORAI_OFFLINE_RUSTUP:-}" ] && timeout 20 rustup target add "$TARGET" >/dev/null 2>&1 && has_target "$(rustc --print sysroot)"; then
  exit 0
fi

say "rustup cannot add $TARGET here: building it with Debian's compiler"
if [ ! -x /usr/bin/rustc ] || [ ! -d /usr/lib/rustlib/src/rust/library ]; then
  say "missing: Debian's Rust. Install it with: sudo apt-get install rustc-web cargo-web rust-web-src libstd-rust-web-dev"
  exit 1
fi
host=$(/usr/bin/rustc -vV | sed -n 's/^host: //p')
lld=/usr/lib/rustlib/$host/bin/rust-lld
if [ ! -e "$lld" ]; then
  $SUDO ln -sf "$(rustc --print sysroot)/lib/rustlib/$host/bin/rust-lld" "$lld"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "sysroot"
version = "0.0.0"
edition = "2021"
[profile.release]
panic = "abort"
TOML
echo '#![no_std]' >"$work/src/lib.rs"
(cd "$work" && env -u RUSTUP_TOOLCHAIN RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes CARGO_TARGET_DIR="$work/target" \
  /usr/bin/cargo build --quiet --release -Zbuild-std=core,alloc --target "$TARGET" >&2)
$SUDO mkdir -p "/usr/lib/rustlib/$TARGET/lib"
$SUDO cp "$work/target/$TARGET/release/deps/"lib{core,alloc,compiler_builtins}-*.rlib "/usr/lib/rustlib/$TARGET/lib/"
rustup toolchain link debian /usr
echo debian
