#!/usr/bin/env bash
# Packs what scripts/gpu/check.sh runs on a machine with a GPU: programs, Kiln's libraries and those that they bring. Usage:
# scripts/gpu/bundle.sh FOLDER [PRESET]. Build first: scripts/build.sh release kiln_tool lib/libkiln.so device_libraries test_cuda test_cuda_engines
# test_operators test_api test_device test_compiler test_runtime test_tuner kiln_conformance cuda_layer_times cudart_program
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=$1 build=build/${2:-release}
programs=(kiln test_cuda test_cuda_engines test_operators test_api test_device test_compiler test_runtime test_tuner kiln_conformance
          cuda_layer_times)
# Not where there is no libcudart of NVIDIA's.
if [[ -x $build/bin/cudart_program ]]; then programs+=(cudart_program); else echo "without cudart_program, which was not built"; fi
rm -rf "$folder"
mkdir -p "$folder/bin" "$folder/lib"
for program in "${programs[@]}"; do
  strip -o "$folder/bin/$program" "$build/bin/$program"
done
for library in kiln kiln_runtime kiln_cpu kiln_ref kiln_cuda; do
  strip -o "$folder/lib/lib$library.so" "$build/lib/lib$library.so"
done
# The C library comes with the machine; all others travel, oneDNN among them unless NO_ONEDNN is set (it makes the bundle half as large).
ldd "${programs[@]/#/$build/bin/}" "$build"/lib/libkiln*.so | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
  grep -vE "/(libc|libm|libdl|libpthread|librt|libkiln[a-z_]*${NO_ONEDNN:+|libdnnl})\.so" | xargs -I{} cp -L {} "$folder/lib/"
# Which tests of the API give a device the host's memory on purpose.
sed -n 's/.*"--device=pretend" "--gtest_filter=\(-[^"]*\)".*/\1/p' "$build/tests/CTestTestfile.cmake" > "$folder/api_filter"
onnx_data=$(.venv/bin/python -c 'import onnx.backend.test, pathlib; print(pathlib.Path(onnx.backend.test.__file__).parent / "data")')
tar -C "$onnx_data" -c . | xz -T0 -6 > "$folder/onnx_data.txz"
cp scripts/gpu/{check.sh,networks.py,peers.py} tests/conformance/floors.txt "$folder/"
du -sh "$folder"
