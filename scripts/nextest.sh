#!/usr/bin/env bash
# Installs cargo-nextest, the test runner, if it is missing.
set -euo pipefail
command -v cargo-nextest >/dev/null 2>&1 && exit 0
echo "installing cargo-nextest (some minutes, once)" >&2
cargo install --locked --quiet cargo-nextest
