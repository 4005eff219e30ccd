"""A slice of scripts/hostile.py: damaged files of every kind, and senseless options."""
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts/hostile.py"
COUNTS = {"models": 60, "plans": 60, "data": 40, "caches": 20, "profiles": 20, "options": 60}


@pytest.mark.parametrize("kind", COUNTS)
def test_slice(kiln, kind):
    counts = [f"--{k}={n if k == kind else 0}" for k, n in COUNTS.items()]
    done = subprocess.run([sys.executable, SCRIPT, *counts, f"--program={kiln.program}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{COUNTS[kind]} files, 0 found" in done.stdout or kind in ("models", "plans"), done.stdout
