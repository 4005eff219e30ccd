#!/usr/bin/env bash
# Packs what scripts/gpu/check.sh runs on a machine with a GPU: programs, Kiln's libraries and those that they bring. Usage:
# scripts/gpu/bundle.sh FOLDER [PRESET]. Build first: scripts/build.sh release kiln lib/libkiln.so device_libraries test_cuda test_cuda_engines cuda_layer_times
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=$1 build=build/${2:-release}
rm -rf "$folder"
mkdir -p "$folder/bin" "$folder/lib"
for program in kiln test_cuda test_cuda_engines cuda_layer_times; do
  strip -o "$folder/bin/$program" "$build/bin/$program"
done
for library in kiln kiln_runtime kiln_cpu kiln_ref kiln_cuda; do
  strip -o "$folder/lib/lib$library.so" "$build/lib/lib$library.so"
done
# The C library comes with the machine; all others travel.
ldd "$build"/bin/{kiln,test_cuda,cuda_layer_times} "$build"/lib/libkiln*.so | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
  grep -vE '/(libc|libm|libdl|libpthread|librt|libkiln[a-z_]*|libdnnl)\.so' | xargs -I{} cp -L {} "$folder/lib/"
cp scripts/gpu/check.sh scripts/gpu/networks.py "$folder/"
du -sh "$folder"
