#!/usr/bin/env bash
# Packs what scripts/gpu/check.sh runs on a machine with a GPU: the programs and the libraries that they bring. Usage:
# scripts/gpu/bundle.sh FOLDER [PRESET]. Build first: scripts/build.sh release test_cuda cuda_layer_times
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=$1 build=build/${2:-release}
mkdir -p "$folder"
for program in test_cuda cuda_layer_times; do
  cp "$build/bin/$program" "$folder/$program"
  strip "$folder/$program"
done
du -sh "$folder"
