#!/usr/bin/env bash
# All that CI runs, stage by stage: checks, release tests, clang-tidy, tests under sanitizers. Stops at the first stage that fails.
# The same tree gives the same verdict: nothing here explores or races the clock (scripts/fuzz.sh explores). KILN_TEST_CUDA=1 brings nvcc from
# PyPI where there is none, to compile the kernels for NVIDIA GPUs, too; the end says what was not checked for lack of it, or of a GPU.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/stages.sh
readonly logs=build/test logged_stages=(release asan tsan)
mkdir -p "$logs"
rm -f "$logs"/*.log

not_checked() {
  [[ -f $logs/release.log ]] || return 0
  if [[ ! -x build/release/bin/test_cuda ]]; then
    echo "NOT CHECKED: the back end of NVIDIA GPUs, its kernels, and engines for its cards: there is no nvcc, or no cuda.h (KILN_TEST_CUDA=1 brings them)"
  fi
  if ! command -v nvidia-smi >/dev/null || ! nvidia-smi >/dev/null 2>&1; then
    echo "NOT CHECKED: what runs on a GPU alone (scripts/gpu/check.sh, on a machine that has one)"
  fi
}

closing() {
  printf '\n==> compiler cache\n'
  ccache -s
  printf '\n==> stages\n'
  print_stage_times
  [[ -z $stage_now ]] || echo "$stage_now: FAILED"
  echo "in all: $SECONDS s"
  for preset in "${logged_stages[@]}"; do
    if [[ -f $logs/$preset.log ]]; then
      printf '\n==> tests, %s\n' "$preset"
      sed -n '/tests passed/,$p' "$logs/$preset.log"
    fi
  done
  not_checked
}
trap closing EXIT

# A limit of time only ends what hangs.
run_tests() {
  local preset=$1
  shift
  ctest --preset "$preset" -j "$(nproc)" --timeout 3600 --no-tests=error "$@" 2>&1 | tee "$logs/$preset.log"
}

if [[ ${KILN_TEST_CUDA:-} == 1 && ! -x $(command -v nvcc || echo /usr/local/cuda/bin/nvcc) ]]; then scripts/setup.sh --cuda; fi
echo "All that CI runs: checks of the tree, and every test, also under sanitizers. What fails ends it; $logs keeps the logs."
begin_stages build/test/stages \
  "checks of the tree|10" \
  "release: build|1500" \
  "release: tests|420" \
  "clang-tidy on changed files|300" \
  "address and undefined behaviour: build|2100" \
  "address and undefined behaviour: tests|900" \
  "threads: build|900" \
  "threads: tests|240"

stage "checks of the tree"
scripts/check.sh
stage "release: build"
scripts/build.sh release all tests
stage "release: tests"
run_tests release
stage "clang-tidy on changed files"
.venv/bin/python scripts/check_tidy.py
stage "address and undefined behaviour: build"
scripts/build.sh asan unit_tests
stage "address and undefined behaviour: tests"
run_tests asan -L unit
stage "threads: build"
scripts/build.sh tsan threaded_tests
stage "threads: tests"
run_tests tsan -L threaded
end_stages
