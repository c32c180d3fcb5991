#!/usr/bin/env bash
# Compares the perplexity of a text and its greedy continuation with llama.cpp's on the same ids. Fails if the
# perplexities differ by more than 0.5 %. Usage: scripts/values.sh FOLDER_OF_BINARIES [TEXT] [TOKENS]
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$1
text=${2:-docs/numerics.md}
tokens=${3:-1024}
peers=${AGORAI_PEERS:-$HOME/.cache/agorai/peers}
python=$peers/venv/bin/python
model=$peers/gemma.gguf
if ! [ -x "$python" ] || ! [ -f "$model" ]; then
  echo "the peers are not installed, run: scripts/peers.sh" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$bin/perplexity" "$model" "$text" "$tokens" 64 >"$work/ours.json"
"$python" -c 'import json, sys; print(json.dumps(json.load(open(sys.argv[1]))["ids"]))' "$work/ours.json" >"$work/ids.json"
count=$("$python" -c 'import json, sys; print(len(json.load(open(sys.argv[1]))))' "$work/ids.json")
"$python" benchmarks/peers/llama_cpp.py values "$model" --ids "$work/ids.json" --window "$count" --prompt $((count / 2)) \
  2>/dev/null >"$work/peer.json"
"$python" - "$work/ours.json" "$work/peer.json" <<'PYTHON'
import json, sys
ours, peer = (json.load(open(path)) for path in sys.argv[1:])
pairs = enumerate(zip(ours["greedy"], peer["greedy"]))
same = next((i for i, (a, b) in pairs if a != b), len(ours["greedy"]))
ratio = ours["perplexity"] / peer["perplexity"]
print(json.dumps({"tokens": len(ours["ids"]), "perplexity": ours["perplexity"], "peer": peer["perplexity"],
                  "ratio": ratio, "greedy_tokens_alike": same, "of": len(ours["greedy"])}))
sys.exit(abs(ratio - 1) > 0.005)
PYTHON
