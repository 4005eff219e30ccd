"""bench/networks.py: what it calls a failure."""
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
import networks


def row(name, kiln, peer=10.0, memory=100.0):
    return networks.Row(name, {"onnxruntime": peer + 1, "openvino": peer, "kiln": kiln}, 1.0, 1.0, 1.0, 1.0, 1.0,
                        {"onnxruntime": 100.0, "build": memory, "run": 50.0})


@pytest.mark.parametrize("kiln, memory, faults", [
    (9.9, 130.0, []), (10.0, 100.0, []), (10.1, 100.0, ["better peer ÷ Kiln is 0.990, needs 1.00"]), (9.0, 131.0, ["peak memory of the build is 1.31"]),
])
def test_bounds_of_a_network(kiln, memory, faults):
    found = list(networks.problems(row("net_int8", kiln, memory=memory), {"least": 1.0, "goal": 1.1}))
    assert len(found) == len(faults) and all(fault in line for fault, line in zip(faults, found)), found


def test_narrow_forms_are_no_slower_than_float():
    rows = [row("a", 8.0), row("a_int8", 3.0), row("b", 5.0), row("b_int8", 5.1), row("c_int8", 9.0)]
    assert list(networks.slower_narrow_forms(rows)) == ["b_int8: 5.1 ms, its float form 5 ms"]
    assert list(networks.slower_narrow_forms(rows[:2])) == []


def test_all_networks_must_reach_the_better_peer():
    targets = json.loads((ROOT / "bench/targets.json").read_text())
    assert sum(name.endswith(networks.SUFFIX) for name in targets) >= 3
    assert min(target["least"] for target in targets.values()) >= 1, targets
