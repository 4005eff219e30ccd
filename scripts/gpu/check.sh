#!/usr/bin/env bash
# Checks and times the back end of NVIDIA GPUs on a machine that has one, from a bundle that scripts/gpu/bundle.sh made.
# Usage: scripts/gpu/check.sh BUNDLE [PART [NETWORK[:BATCH]...]]; parts, all of them when none is named, those of correctness beside each other:
#   ops          kernels of the back end against the reference (test_cuda), suites side by side
#   operators    samples of all operators (test_operators)
#   api          programs of the API (test_api)
#   conformance  ONNX's backend tests, engines saved and loaded
#   suites       the suites of the compiler, the runtime and the tuner (test_compiler, test_runtime, test_tuner), which run on every device
#   interop      a program that has its memory, streams and events from NVIDIA's libcudart
#   engines      the device (test_device), captured graphs, contexts x streams x threads, several devices, memory back at its start, times of the host
#   sanitize     compute-sanitizer's memcheck, racecheck, synccheck and initcheck over a selection
#   streams      inferences per second of resnet50 in one to eight streams
#   layers       times of layers of resnet50 and bert
#   bench        networks (scripts/gpu/networks.py) beside PyTorch. All rows of docs/measured.md take three calls, whose tables scripts/gpu/networks.py --merge
#                makes one: NETWORK_FLAGS=--fp16 with resnet50 bert_base, with bert_large vit_b16, and with swin_b efficientnet_b0 mobilenet_v3
#   prototypes   the programs in the folder $PROTOTYPES, which print what they measure; none where it is not set
# Writes a log of each part to $OUT, or to BUNDLE/logs when it is not set. NETWORK_FLAGS, PEERS and PROTOTYPES: scripts/gpu/networks.py. SANITIZED:
# which tests compute-sanitizer watches, TOOLS: its tools. Test programs write models with $KILN_PYTHON (default: python3).
set -uo pipefail
bundle=$(realpath "$1")
shift
beside=(ops operators api conformance suites interop sanitize)
alone=(engines streams layers bench prototypes)
networks=()
if [[ $# -gt 0 ]]; then
  beside=() alone=("$1")
  networks=("${@:2}")
fi
logs=${OUT:-$bundle/logs}
mkdir -p "$logs"
export LD_LIBRARY_PATH=$bundle/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} KILN_PYTHON=${KILN_PYTHON:-$(command -v python3)}
rm -f "$logs"/*.failed

run() {  # NAME SECONDS COMMAND...: runs it, keeps what it says, shows the end
  local name=$1 seconds=$2 began=$SECONDS
  shift 2
  timeout "$seconds" "$@" >"$logs/$name.log" 2>&1
  local code=$?
  echo "== $name: $((SECONDS - began)) s
$(tail -n "${SHOWN:-30}" "$logs/$name.log")"
  [[ $code -eq 0 ]] || echo "== $name failed: exit status $code" | tee "$logs/$name.failed"
}

listed() {  # AWK PROGRAM ARGUMENT...: what AWK makes of the program's list of tests; fails when the program does or nothing is left
  local form=$1 text
  shift
  text=$("$@" --gtest_list_tests) || { echo "$1 does not list its tests: exit status $?" >&2; return 1; }
  text=$(sed 's/ *#.*//' <<<"$text" | awk "$form" | sort -u)
  [[ -n $text ]] || { echo "no tests: $*" >&2; return 1; }
  echo "$text"
}
suites_beside() {  # PROGRAM ARGUMENT...: its suites, six at a time; says what failed
  local program=$1 suites
  suites=$(listed '/^[^ ]+\.$/' "$@") || return 1
  shift
  xargs -P 6 -I{} sh -c 'text=$("$@" --gtest_brief=1 --gtest_filter="{}*" 2>&1) || { echo "$text"; echo "suite {} failed"; exit 1; }' suite "$program" "$@" <<<"$suites"
}
shards() {  # N PROGRAM ARGUMENT...: the tests of one suite, in N processes
  local count=$1
  shift
  seq 0 $((count - 1)) | GTEST_TOTAL_SHARDS=$count xargs -P "$count" -I{} env GTEST_SHARD_INDEX={} "$@" --gtest_brief=1
}
watched() {  # TOOL TESTS PROGRAM: each test under the tool, four at a time
  local tool=$1 program=$3 tests
  tests=$(listed '/^[^ ]/ {suite = $1; next} {print suite $1}' "$program" --gtest_filter="$2") || return 1
  xargs -P 4 -I{} sh -c 'text=$(compute-sanitizer --tool "$1" --report-api-errors no --error-exitcode 9 "$2" --gtest_brief=1 --gtest_filter="$3" 2>&1) || { echo "$text"; echo "test $3 failed"; exit 1; }' \
    test "$tool" "$program" {} <<<"$tests"
}
export -f listed suites_beside shards watched

# Which tests each tool of compute-sanitizer watches: racecheck takes a hundred times as long, so small problems are there for it. Calls that fail
# are not reported: cuDNN makes some on purpose.
declare -A watched=([memcheck]='CudaConv.ThreeByThree:CudaWholeProduct.*:CudaAttention.*:CudaMovement.*'
                    [racecheck]='CudaAttention.SharedKeys:*CudaRaces*'
                    [synccheck]='CudaConv.ThreeByThree:CudaAttention.*:CudaMovement.*'
                    [initcheck]='CudaConv.ThreeByThree:CudaAttention.SharedKeys:CudaMovement.*')

part() {
  case $1 in
    ops) run ops 400 bash -c 'suites_beside "$@"' suites "$bundle/bin/test_cuda" ;;
    operators) run operators 400 bash -c 'shards "$@"' shards 6 "$bundle/bin/test_operators" ;;
    api) run api 400 "$bundle/bin/test_api" --device=cuda --gtest_brief=1 --gtest_filter="$(cat "$bundle/api_filter")" ;;
    conformance)
      mkdir -p "$bundle/onnx_data" && tar -C "$bundle/onnx_data" -xf "$bundle/onnx_data.txz"
      run conformance 400 "$bundle/bin/kiln_conformance" --backend=cuda-reload --here --verbose --floors="$bundle/floors.txt" "$bundle/onnx_data" ;;
    suites)
      run compiler 400 bash -c 'suites_beside "$@"' suites "$bundle/bin/test_compiler" &
      run runtime 200 bash -c 'suites_beside "$@"' suites "$bundle/bin/test_runtime" &
      run tuner 200 bash -c 'suites_beside "$@"' suites "$bundle/bin/test_tuner" &
      wait ;;
    interop)
      if [[ -x $bundle/bin/cudart_program ]]; then run interop 60 "$bundle/bin/cudart_program"; else echo "== interop: left out, not in the bundle"; fi ;;
    sanitize)
      local tool
      for tool in ${TOOLS:-memcheck racecheck synccheck initcheck}; do
        run "sanitize_$tool" 300 bash -c 'watched "$@"' watched "$tool" "${SANITIZED:-${watched[$tool]}}" "$bundle/bin/test_cuda" &
      done
      wait ;;
    engines)
      run device 60 "$bundle/bin/test_device" --gtest_brief=1 --gtest_filter="*cuda*"
      run engines 240 "$bundle/bin/test_cuda_engines" ;;
    streams) STREAMS="1 2 4 8" NETWORK_FLAGS=--fp16 PEERS='' run streams 120 python3 "$bundle/networks.py" "$bundle" resnet50:1 ;;
    layers)
      run resnet50 200 "$bundle/bin/cuda_layer_times" resnet50 1 8
      run bert 120 "$bundle/bin/cuda_layer_times" bert 1 8 ;;
    bench) PEERS=${PEERS-eager libraries compiled frozen} PEER_SECONDS=${PEER_SECONDS-300} run networks 580 python3 "$bundle/networks.py" "$bundle" "${networks[@]}" ;;
    prototypes)
      local program
      for program in ${PROTOTYPES:+"$PROTOTYPES"/*}; do
        if [[ -f $program && -x $program ]]; then run "prototype_$(basename "$program")" 60 "$program"; fi
      done ;;
    *) echo "there is no part '$1'" | tee "$logs/part.failed" ;;
  esac
}

nvidia-smi --query-gpu=name,driver_version,memory.used --format=csv,noheader
for name in "${beside[@]}"; do part "$name" & done
wait
for name in "${alone[@]}"; do part "$name"; done
nvidia-smi --query-gpu=memory.used --format=csv,noheader
! compgen -G "$logs/*.failed" >/dev/null
