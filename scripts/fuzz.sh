#!/usr/bin/env bash
# Explores: runs the fuzzers of tests/fuzz with sanitizers, from their seeds and from what earlier runs kept.
# Usage: scripts/fuzz.sh [SECONDS [NAME...]]   SECONDS (30) for each fuzzer tests/fuzz/NAME_fuzz.cpp, all of them without NAME; 0 only builds.
# Inputs that reach new code stay in build/fuzz/corpus/NAME. Inputs that end the program are made small and kept in build/fuzz/finds/NAME;
# the run goes on after one, and the exit code is 1. Mend a find, and make it a test in code: the tree holds no binary inputs.
# What `make test` runs of the fuzzers is a fixed list instead: tests/fuzz/replay.cpp.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-30}
shift || true
names=("$@")
if ((${#names[@]} == 0)); then
  for source in tests/fuzz/*_fuzz.cpp; do names+=("$(basename "$source" _fuzz.cpp)"); done
fi
readonly folder=build/fuzz shrinking=60  # seconds to make a find small
scripts/build.sh fuzz "${names[@]/%/_fuzz}"
((seconds > 0)) || exit 0
scripts/build.sh release kiln_tool device_libraries  # builds the engines from which a fuzzer starts
export OMP_NUM_THREADS=1 UBSAN_OPTIONS=print_stacktrace=1
export ASAN_OPTIONS=allocator_may_return_null=1:max_allocation_size_mb=256

# Moves the inputs of the folder $2 to the finds of $1, as small as they become in a while.
keep_finds() {
  local name=$1 input small kept
  for input in "$2"/*; do
    small=$folder/$name.small
    rm -f "$small"
    "$folder/bin/${name}_fuzz" -minimize_crash=1 -max_total_time=$shrinking -exact_artifact_path="$small" "$input" \
      >>"$folder/$name.log" 2>&1 || true
    [[ -s $small ]] || cp "$input" "$small"
    kept=$folder/finds/$name/$(sha1sum "$small" | cut -c1-16)
    mkdir -p "$folder/finds/$name"
    mv "$small" "$kept"
    rm -f "$input"
    echo "fuzz: $name: FOUND $kept"
  done
}

# Ends after the time, whatever is found.
explore() {
  local name=$1 corpus=$folder/corpus/$1 seeds=$folder/seeds/$1 fresh=$folder/fresh/$1 end=$((SECONDS + seconds)) left found=0
  rm -rf "$fresh" "$seeds" "$folder/$name.log"
  mkdir -p "$corpus" "$seeds" "$fresh"
  [[ ! -f tests/fuzz/${name}_seeds.py ]] || .venv/bin/python "tests/fuzz/${name}_seeds.py" "$seeds"
  while left=$((end - SECONDS)) && ((left > 0)); do
    "$folder/bin/${name}_fuzz" -max_total_time="$left" -timeout=60 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
      -artifact_prefix="$fresh/" "$corpus" "$seeds" >>"$folder/$name.log" 2>&1 && break
    [[ -n $(ls -A "$fresh") ]] || { tail -40 "$folder/$name.log"; return 1; }
    found=1
    keep_finds "$name" "$fresh"
  done
  echo "fuzz: $name: $(awk '/number_of_executed_units/ {n += $2} END {print n + 0}' "$folder/$name.log") inputs"
  return $found
}

echo "fuzz: ${names[*]}, $seconds s each, side by side; logs in $folder/*.log"
jobs=() failed=0
for name in "${names[@]}"; do
  explore "$name" &
  jobs+=($!)
done
for job in "${jobs[@]}"; do wait "$job" || failed=1; done
exit $failed
