#!/usr/bin/env bash
# Builds the fuzzers of tests/fuzz with sanitizers and runs each for some seconds. Usage: scripts/fuzz.sh [SECONDS]   (0: builds only)
# A fuzzer NAME starts from build/fuzz/seeds/NAME, which tests/fuzz/NAME_seeds.py FOLDER writes, and keeps what it finds in build/fuzz/corpus.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-30}
shopt -s nullglob
sources=(tests/fuzz/*_fuzz.cpp)
if ((${#sources[@]} == 0)); then
  echo "fuzz: tests/fuzz holds no fuzzers"
  exit 0
fi
scripts/build.sh fuzz fuzzers
scripts/build.sh release kiln_tool device_libraries  # builds the engines from which a fuzzer starts
export OMP_NUM_THREADS=1 UBSAN_OPTIONS=print_stacktrace=1
export ASAN_OPTIONS=allocator_may_return_null=1:max_allocation_size_mb=256

fuzz() {
  local name=$1 corpus=build/fuzz/corpus/$1 seeds=build/fuzz/seeds/$1
  mkdir -p "$corpus" "$seeds"
  [[ ! -f tests/fuzz/${name}_seeds.py ]] || .venv/bin/python "tests/fuzz/${name}_seeds.py" "$seeds"
  "build/fuzz/bin/${name}_fuzz" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/${name}-" "$corpus" "$seeds" >"build/fuzz/$name.log" 2>&1
}

((seconds > 0)) || exit 0
names=() jobs=()
for source in "${sources[@]}"; do
  name=$(basename "$source" _fuzz.cpp)
  echo "fuzz: $name for $seconds s"
  fuzz "$name" &
  names+=("$name") jobs+=($!)
done
failed=0
for i in "${!jobs[@]}"; do
  if wait "${jobs[i]}"; then
    echo "fuzz: ${names[i]}: $(grep -o 'stat::number_of_executed_units: .*' "build/fuzz/${names[i]}.log" | awk '{print $2}') inputs, no problem"
  else
    failed=1
    echo "fuzz: ${names[i]}: FAILED; the input is in build/fuzz/${names[i]}-*"
    tail -60 "build/fuzz/${names[i]}.log"
  fi
done
exit $failed
