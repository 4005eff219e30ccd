#!/usr/bin/env bash
# Checks and times the back end of NVIDIA GPUs on a machine that has one, from a bundle that scripts/gpu/bundle.sh made.
# Usage: scripts/gpu/check.sh BUNDLE [PART [NETWORK[:BATCH]...]]; parts, all of them when none is named:
#   ops          kernels of the back end against the reference (test_cuda), suites side by side
#   operators    samples of all operators (test_operators)
#   api          programs of the API (test_api)
#   conformance  ONNX's backend tests, engines saved and loaded
#   engines      captured graphs, contexts x streams x threads, several devices, memory back at its start, times of the host
#   sanitize     compute-sanitizer's memcheck, racecheck, synccheck and initcheck over a selection
#   layers       times of layers of resnet50 and bert
#   bench        networks (scripts/gpu/networks.py) beside PyTorch
# Writes a log of each part to $OUT, or to BUNDLE/logs when it is not set. NETWORK_FLAGS and PEERS: scripts/gpu/networks.py. SANITIZED:
# which tests compute-sanitizer watches, TOOLS: its tools. Test programs write models with $KILN_PYTHON (default: python3).
set -uo pipefail
bundle=$(realpath "$1")
shift
parts=(ops operators api conformance engines sanitize layers bench)
networks=()
if [[ $# -gt 0 ]]; then
  parts=("$1")
  networks=("${@:2}")
fi
logs=${OUT:-$bundle/logs}
mkdir -p "$logs"
export LD_LIBRARY_PATH=$bundle/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} KILN_PYTHON=${KILN_PYTHON:-$(command -v python3)}
failed=0

run() {  # NAME SECONDS COMMAND...: runs it, keeps what it says, shows the end
  local name=$1 seconds=$2
  shift 2
  echo "== $name"
  timeout "$seconds" "$@" >"$logs/$name.log" 2>&1
  local code=$?
  tail -n "${SHOWN:-30}" "$logs/$name.log"
  [[ $code -eq 0 ]] || { echo "== $name failed: exit status $code"; failed=1; }
}

suites_beside() {  # PROGRAM ARGUMENT...: its suites, six at a time; says what failed
  local program=$1
  shift
  "$program" "$@" --gtest_list_tests | sed -n 's/^\([^ ]*\.\).*/\1/p' | sort -u |
    xargs -P 6 -I{} sh -c 'text=$("$@" --gtest_brief=1 --gtest_filter="{}*" 2>&1) || { echo "$text"; echo "suite {} failed"; exit 1; }' suite "$program" "$@"
}
export -f suites_beside

nvidia-smi --query-gpu=name,driver_version,memory.used --format=csv,noheader
for part in "${parts[@]}"; do
  case $part in
    ops) run ops 240 bash -c 'suites_beside "$@"' suites "$bundle/bin/test_cuda" ;;
    operators) run operators 240 "$bundle/bin/test_operators" --gtest_brief=1 ;;
    api) run api 240 "$bundle/bin/test_api" --device=cuda --gtest_brief=1 --gtest_filter="$(cat "$bundle/api_filter")" ;;
    conformance)
      mkdir -p "$bundle/onnx_data" && tar -C "$bundle/onnx_data" -xf "$bundle/onnx_data.txz"
      run conformance 240 "$bundle/bin/kiln_conformance" --backend=cuda-reload --here --verbose --floors="$bundle/floors.txt" "$bundle/onnx_data" ;;
    engines) run engines 120 "$bundle/bin/test_cuda_engines" ;;
    layers)
      run resnet50 200 "$bundle/bin/cuda_layer_times" resnet50 1 8
      run bert 120 "$bundle/bin/cuda_layer_times" bert 1 8 ;;
    bench) PEERS=${PEERS-eager compiled frozen libraries} run networks 580 python3 "$bundle/networks.py" "$bundle" "${networks[@]}" ;;
    sanitize)
      # racecheck takes a hundred times as long.
      declare -A watched=([memcheck]='CudaConv.ThreeByThree:CudaWholeProduct.*:CudaAttention.*:CudaMovement.*'
                          [racecheck]='CudaAttention.SharedKeys:CudaMovement.*'
                          [synccheck]='CudaConv.ThreeByThree:CudaAttention.*:CudaMovement.*'
                          [initcheck]='CudaConv.ThreeByThree:CudaAttention.SharedKeys:CudaMovement.*')
      for tool in ${TOOLS:-memcheck racecheck synccheck initcheck}; do
        run "sanitize_$tool" 170 compute-sanitizer --tool "$tool" --error-exitcode 9 "$bundle/bin/test_cuda" \
          --gtest_brief=1 --gtest_filter="${SANITIZED:-${watched[$tool]}}"
      done ;;
    *) echo "there is no part '$part'"; failed=1 ;;
  esac
done
nvidia-smi --query-gpu=memory.used --format=csv,noheader
exit $failed
