#!/usr/bin/env bash
# Makes packages of build/release: kiln, kiln-dev and kiln-runtime as .deb, the whole and the run side (two files) as .tar.gz.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly config=build/release/CPackConfig.cmake out=build/release/packages
[[ -f $config ]] || { echo "package: error: build/release is not there: run make build" >&2; exit 1; }
rm -rf "$out"
cpack --config "$config" -B "$out" -G TGZ
cpack --config "$config" -B "$out" -G TGZ -D CPACK_ARCHIVE_COMPONENT_INSTALL=ON -D CPACK_COMPONENTS_ALL=runtime
cpack --config "$config" -B "$out" -G DEB
rm -rf "$out/_CPack_Packages"
ls -l "$out"
