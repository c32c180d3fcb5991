#!/usr/bin/env bash
# Starts four validators, creates a model, and runs the polkadot.js test on them. $1 = the folder of the binaries.
set -euo pipefail
bin=$1
cd "$(dirname "$0")/.."
port=${AGORAI_TEST_PORT:-21400}
dir=$(mktemp -d)
network=
finish() {
  code=$?
  if [ -n "$network" ]; then kill -INT "$network" 2>/dev/null && wait "$network" 2>/dev/null || true; fi
  if [ "$code" = 0 ]; then rm -rf "$dir"; else echo "logs are kept in $dir" >&2; fi
}
trap finish EXIT

(cd clients/polkadot-js && npm ci --no-fund --no-audit --silent)
"$bin/agorai" localnet --node "$bin/agorai-node" --dir "$dir/net" --base-port "$port" --json >"$dir/localnet.json" 2>"$dir/localnet.log" &
network=$!
for _ in $(seq 120); do
  [ -s "$dir/localnet.json" ] && break
  kill -0 "$network" 2>/dev/null || { cat "$dir/localnet.log" >&2; exit 1; }
  sleep 1
done
url=$(sed -n 's/.*\(ws:\/\/127\.0\.0\.1:[0-9]*\).*/\1/p' "$dir/localnet.json" | head -1)
[ -n "$url" ] || { echo "the network did not come up" >&2; cat "$dir/localnet.log" >&2; exit 1; }
"$bin/agorai" --url "$url" --signer //Alice model create --name square --size small --seed 1
AGORAI_URL=$url npm --prefix clients/polkadot-js test
