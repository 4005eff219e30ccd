"""scripts/gpu/check.sh: parts whose programs name their tests first."""
import subprocess
from pathlib import Path

import pytest

CHECK = Path(__file__).resolve().parents[2] / "scripts" / "gpu" / "check.sh"
LISTS = """#!/usr/bin/env bash
if [[ $* == *--gtest_list_tests* ]]; then
  LIST
fi
echo "ran $*" >>"$RAN"
exit FAILURE
"""
TWO_SUITES = "printf 'Sums.\\n  Small\\n  Large  # GetParam() = 3\\nTyped/0.  # TypeParam = float\\n  Odd\\n'; exit 0"


@pytest.fixture
def bundle(tmp_path):
    """A function that makes a bundle whose programs list tests so, and fail so, and runs a part: (whether it passes, logs, what ran)."""
    def program(path, text):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def check(part, listing, failure=0):
        for name in ("compiler", "runtime", "tuner", "cuda"):
            program(tmp_path / f"bundle/bin/test_{name}", LISTS.replace("LIST", listing).replace("FAILURE", str(failure)))
        program(tmp_path / "path/nvidia-smi", "#!/bin/sh\n")
        program(tmp_path / "path/compute-sanitizer", '#!/bin/sh\necho "tool $2" >>"$RAN"\nshift 6\nexec "$@"\n')
        environment = {"PATH": f"{tmp_path / 'path'}:/usr/bin:/bin", "OUT": str(tmp_path / "out"), "RAN": str(tmp_path / "ran"), "TOOLS": "memcheck"}
        done = subprocess.run(["bash", CHECK, tmp_path / "bundle", part], env=environment, capture_output=True, text=True)
        ran = (tmp_path / "ran").read_text() if (tmp_path / "ran").exists() else ""
        return done.returncode == 0, done.stdout, ran

    (tmp_path / "bundle").mkdir()
    return check


def test_suites_run_by_themselves(bundle):
    passes, text, ran = bundle("suites", TWO_SUITES)
    assert passes, text
    assert ran.count("--gtest_filter=Sums.*") == 3 and ran.count("--gtest_filter=Typed/0.*") == 3 and ran.count("ran ") == 6


def test_tests_run_under_the_sanitizer(bundle):
    passes, text, ran = bundle("sanitize", TWO_SUITES)
    assert passes, text
    assert sorted(line.split("filter=")[1] for line in ran.splitlines() if "filter=" in line) == ["Sums.Large", "Sums.Small", "Typed/0.Odd"]
    assert ran.count("tool memcheck") == 3


@pytest.mark.parametrize("part", ["suites", "sanitize"])
@pytest.mark.parametrize("listing, failure, message", [
    (TWO_SUITES, 1, "failed: exit status"), ("exit 0", 0, "no tests: "), ("echo Running main; exit 0", 0, "no tests: "),
    ("echo 'Sums.'; exit 3", 0, "does not list its tests: exit status 3")])
def test_a_part_fails_whose_program_fails_or_lists_nothing(bundle, part, listing, failure, message):
    passes, text, ran = bundle(part, listing, failure)
    assert not passes and message in text and "failed: exit status" in text, text
    assert failure or not ran
