"""bench/forms.py: what it calls a failure."""
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import forms


@pytest.mark.parametrize("ms, faults", [
    ({"float32": 10.0, "bfloat16": 10.1, "pairs": 3.0, "operators": 3.05}, []),
    ({"float32": 10.0, "bfloat16": 10.5}, ["bfloat16 takes 1.050 times as long"]),
    ({"float32": 10.0, "calibrated": 12.0}, ["calibrated takes 1.200 times as long"]),
    ({"float32": 10.0, "pairs": 3.0, "operators": 3.2}, ["differ by more than 3%"]),
    ({"float32": 10.0, "pairs": 3.2, "operators": 3.0}, ["differ by more than 3%"]),
    ({"float32": 1.0, "pairs": 2.0, "operators": 3.0}, ["pairs takes", "operators takes", "differ"]),
])
def test_slower_forms_are_failures(ms, faults):
    found = list(forms.problems("net", ms))
    assert len(found) == len(faults) and all(fault in line for fault, line in zip(faults, found)), found


def test_errors_are_those_of_the_worst_output():
    wanted = {"a": np.array([3.0, 4.0]), "b": np.array([1.0]), "none": np.zeros(2)}
    assert forms.error(wanted, wanted) == 0
    assert forms.error({"a": np.array([3.0, 4.5]), "b": np.array([1.5]), "none": np.zeros(2)}, wanted) == pytest.approx(0.5)
    assert forms.error({**wanted, "none": np.array([0.0, 1.0])}, wanted) == 1
