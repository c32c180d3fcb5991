#!/usr/bin/env bash
# Runs cargo-deny, which it installs where it is missing. Advisories are checked where their database can be fetched.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v cargo-deny >/dev/null 2>&1 || {
  echo "installing cargo-deny (some minutes, once)" >&2
  cargo install --locked --quiet cargo-deny
}
checks=(licenses bans sources)
if timeout 120 cargo deny fetch db >/dev/null 2>&1; then
  checks+=(advisories)
else
  echo "the database of advisories cannot be fetched: they are not checked" >&2
fi
# `MIT/Apache-2.0`, the old spelling in other crates' manifests, is accepted silently.
cargo deny --locked --workspace check --hide-inclusion-graph --allow parse-error "${checks[@]}"
