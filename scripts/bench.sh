#!/usr/bin/env bash
# Builds a tuned engine of each network in models/ and times it; the lines are also kept in build/bench/times.txt.
# Usage: scripts/bench.sh [NETWORK...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly kiln=build/release/bin/kiln python=.venv/bin/python out=build/bench
[[ -x $kiln ]] || { echo "bench: $kiln does not exist: run make build" >&2; exit 1; }
mkdir -p "$out"
"$python" models/write.py "$out" "$@"
models=("${@/#/$out/}")
models=("${models[@]/%/.onnx}")
(($#)) || models=("$out"/*.onnx)
for model in "${models[@]}"; do
  name=$(basename "$model" .onnx)
  echo "bench: $name: tuning"
  "$kiln" bench --onnx="$model" --saveEngine="$out/$name.engine" --timingCacheFile="$out/timing.cache" --skipInference >"$out/$name.log"
  "$kiln" bench --loadEngine="$out/$name.engine" --duration=3 >>"$out/$name.log"
  printf '%-20s %s\n' "$name" "$(grep -o 'GPU Compute Time: min.*' "$out/$name.log" | tail -1)" | tee -a "$out/times.txt"
done
