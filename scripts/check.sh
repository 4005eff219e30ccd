#!/usr/bin/env bash
# The checks of the tree that need no build; runs all of them and fails when one failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=.venv/bin/python
[[ -x $python ]] || python=python3
failed=0
for check in layers lists size text format; do
  "$python" "scripts/check_$check.py" || failed=1
done
exit $failed
