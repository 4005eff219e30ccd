#!/usr/bin/env bash
# Random graphs through every check of tests/operators/graphs: many more than the tests take.
# Usage: scripts/graphs.sh [COUNT [FIRST]]   COUNT (10,000) seeds from FIRST (1) on, in as many processes as there are processors.
# What fails is cut down and printed as text with its seed; the exit code is 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
count=${1:-10000} first=${2:-1}
readonly count first folder=build/graphs workers=$(nproc)
scripts/build.sh release test_operators
mkdir -p "$folder"
rm -f "$folder"/*.log
share=$(((count + workers - 1) / workers))
jobs=() failed=0
for ((worker = 0; worker < workers; ++worker)); do
  OMP_NUM_THREADS=1 KILN_GRAPHS=$share nice build/release/bin/test_operators --gtest_filter='Graphs.*' \
    --gtest_random_seed=$((first + worker * share)) >"$folder/$worker.log" 2>&1 &
  jobs+=($!)
done
for job in "${jobs[@]}"; do wait "$job" || failed=1; done
sed -n '/^seed /,/^$/p' "$folder"/*.log
echo "graphs: $((share * workers)) from seed $first on, $(cat "$folder"/*.log | grep -c '^seed ' || true) found"
exit $failed
