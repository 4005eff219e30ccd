#!/usr/bin/env bash
# All that CI runs, stage by stage: checks, release tests, clang-tidy, tests under sanitizers, fuzzers. Stops at the first stage that fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly logs=build/test logged_stages=(release asan tsan)
mkdir -p "$logs"
rm -f "$logs"/*.log
summary=() stage="" started=0 ended=false

finish_stage() {
  [[ -z $stage ]] || summary+=("$(printf '%-45s %5d s' "$stage" $((SECONDS - started)))")
}
stage() {
  finish_stage
  stage=$1 started=$SECONDS
  printf '\n==> %s\n' "$stage"
}
closing() {
  $ended || summary+=("$stage: FAILED")
  printf '\n==> compiler cache\n'
  ccache -s
  printf '\n==> stages\n'
  printf '%s\n' "${summary[@]}" "in all: $SECONDS s"
  for preset in "${logged_stages[@]}"; do
    if [[ -f $logs/$preset.log ]]; then
      printf '\n==> tests, %s\n' "$preset"
      sed -n '/tests passed/,$p' "$logs/$preset.log"
    fi
  done
}
trap closing EXIT

run_tests() {
  local preset=$1
  shift
  ctest --preset "$preset" -j "$(nproc)" --timeout 900 --no-tests=error "$@" 2>&1 | tee "$logs/$preset.log"
}

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
stage "fuzzers: build"
scripts/fuzz.sh 0
stage "fuzzers"
scripts/fuzz.sh 30
finish_stage
ended=true
