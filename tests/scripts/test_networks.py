"""bench/networks.py: what it calls a failure."""
import argparse
import json
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
import networks


def row(name, kiln, peer=10.0, memory=100.0):
    return networks.Row(name, {"onnxruntime": [peer + 1], "openvino": [peer], "kiln": [kiln]}, 1.0, 1.0, 1.0, 1.0, 1.0,
                        {"onnxruntime": 100.0, "build": memory, "run": 50.0})


@pytest.mark.parametrize("kiln, memory, faults", [
    (9.9, 130.0, []), (10.0, 100.0, []), (10.1, 100.0, ["better peer ÷ Kiln is 0.990, needs 1.00"]), (9.0, 131.0, ["peak memory of the build is 1.31"]),
])
def test_bounds_of_a_network(kiln, memory, faults):
    found = list(networks.problems(row("net_int8", kiln, memory=memory), 1.0))
    assert len(found) == len(faults) and all(fault in line for fault, line in zip(faults, found)), found


def test_bounds_beside_other_work():
    options = argparse.Namespace(busy=1)
    assert networks.least_of({"least": 1.05}, options) == networks.LEAST_BUSY
    assert networks.least_of({"least": 0.5}, options) == 0.5
    assert networks.least_of({"least": 1.05, "busy": 1.0}, options) == 1.0


def test_other_work_ends():
    with networks.busy_cores(1) as programs:
        time.sleep(0.2)
        assert [program.poll() for program in programs] == [None]
    assert programs[0].poll() is not None


def test_bfloat16_has_one_peer():
    narrow = networks.Row("a_bf16", {"openvino": [4.0], "kiln": [5.0]}, 1.0, 1.0, 1.0, 1.0, 1.0, {"onnxruntime": None, "build": 1.0, "run": 1.0})
    assert list(networks.problems(narrow, 1.0)) == ["a_bf16: better peer ÷ Kiln is 0.800, needs 1.00"]
    assert list(networks.slower_narrow_forms([row("a", 4.5), narrow])) == ["a_bf16: 5 ms, its float form 4.5 ms"]
    assert "| a_bf16 | – | 4 | 5 | **0.80** | 1.00 |" in networks.line(narrow, {"goal": 1.1}, 1.0)
    assert networks.memory_line(narrow) == "| a_bf16 | – | 1 | – | 1 | – |"
    assert networks.geomean_line([narrow]) == ""


def test_quotients_are_of_the_same_round():
    phases = networks.Row("a", {"onnxruntime": [9.0, 18.0, 9.0], "openvino": [8.0, 16.0, 4.0], "kiln": [4.0, 8.0, 4.0]}, 1.0, 1.0, 1.0, 1.0, 1.0, {})
    assert phases.ratio == 2.0 and phases.ms == {"onnxruntime": 9.0, "openvino": 8.0, "kiln": 4.0}


def test_narrow_forms_are_no_slower_than_float():
    rows = [row("a", 8.0), row("a_int8", 3.0), row("b", 5.0), row("b_int8", 5.1), row("c_int8", 9.0)]
    assert list(networks.slower_narrow_forms(rows)) == ["b_int8: 5.1 ms, its float form 5 ms"]
    assert list(networks.slower_narrow_forms(rows[:2])) == []


def test_all_networks_must_reach_the_better_peer():
    targets = json.loads((ROOT / "bench/targets.json").read_text())
    assert sum(name.endswith(networks.SUFFIX) for name in targets) >= 3
    assert min(target["least"] for target in [networks.OTHERS, *targets.values()]) >= 1, targets
