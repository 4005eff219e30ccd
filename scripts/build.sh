#!/usr/bin/env bash
# Configures a preset when it is new and builds targets of it. Usage: scripts/build.sh PRESET TARGET...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=$1
shift
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1  # what one copy of the tree compiled serves the others
[[ -f build/$preset/build.ninja ]] || cmake --preset "$preset"
cmake --build --preset "$preset" --target "$@"
