#!/usr/bin/env bash
# Checks and times the back end of NVIDIA GPUs on a machine that has one, from a bundle that scripts/gpu/bundle.sh made.
# Usage: scripts/gpu/check.sh BUNDLE [PART...]; parts: ops, engines (leaks, threads, several
# devices, times of the host), sanitize, resnet50, bert (layers), networks; all of them when none is named.
# Writes a log of each part to $OUT, or to BUNDLE/logs when it is not set. NETWORKS and NETWORK_FLAGS say which networks (scripts/gpu/networks.py),
# SANITIZED which tests compute-sanitizer watches.
set -uo pipefail
bundle=$1
shift
parts=("$@")
[[ ${#parts[@]} -gt 0 ]] || parts=(ops engines resnet50 bert networks sanitize)
logs=${OUT:-$bundle/logs}
mkdir -p "$logs"
export LD_LIBRARY_PATH=$bundle/lib
failed=0

run() {  # NAME SECONDS COMMAND...: runs it, keeps what it says, shows the end
  local name=$1 seconds=$2
  shift 2
  echo "== $name"
  timeout "$seconds" "$@" >"$logs/$name.log" 2>&1
  local code=$?
  tail -n "${SHOWN:-60}" "$logs/$name.log"
  [[ $code -eq 0 ]] || { echo "== $name failed: exit status $code"; failed=1; }
}

nvidia-smi --query-gpu=name,driver_version,memory.used --format=csv,noheader
for part in "${parts[@]}"; do
  case $part in
    ops) run ops 240 "$bundle/bin/test_cuda" --gtest_brief=1 ;;
    engines) run engines 120 "$bundle/bin/test_cuda_engines" ;;
    resnet50) run resnet50 200 "$bundle/bin/cuda_layer_times" resnet50 1 8 ;;
    bert) run bert 120 "$bundle/bin/cuda_layer_times" bert 1 8 ;;
    networks) run networks 300 python3 scripts/gpu/networks.py "$bundle" ${NETWORKS:-} ;;
    sanitize)
      # racecheck takes a hundred times as long.
      declare -A watched=([memcheck]='CudaConv.ThreeByThree:CudaWholeProduct.*:CudaAttention.*:CudaMovement.*'
                          [racecheck]='CudaAttention.SharedKeys:CudaMovement.*')
      for tool in memcheck racecheck; do
        run "sanitize_$tool" 170 compute-sanitizer --tool "$tool" --error-exitcode 9 "$bundle/bin/test_cuda" \
          --gtest_brief=1 --gtest_filter="${SANITIZED:-${watched[$tool]}}"
      done ;;
    *) echo "there is no part '$part'"; failed=1 ;;
  esac
done
nvidia-smi --query-gpu=memory.used --format=csv,noheader
exit $failed
