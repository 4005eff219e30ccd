#!/usr/bin/env bash
# Times tuned engines of the networks in models/ against the peers and fails when one is slower than bench/targets.json allows.
# Usage: scripts/bench.sh [NETWORK...]   (all arguments go to bench/networks.py; --help tells more)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ -x build/release/bin/kiln ]] || { echo "bench: build/release/bin/kiln does not exist: run make build" >&2; exit 1; }
scripts/setup.sh --optional
exec .venv/bin/python bench/networks.py "$@"
