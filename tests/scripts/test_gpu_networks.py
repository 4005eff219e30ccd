"""scripts/gpu/networks.py: its rows, its tables, and how it gets on with peers that are slow, fail or end."""
import importlib.util
import math
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("gpu_networks", ROOT / "scripts" / "gpu" / "networks.py")
networks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(networks)

FIRST = """NVIDIA H200, 580.1

| network | batch | option | Kiln, ms | held | eager | frozen | error |
| --- | --: | --- | --: | --: | --: | --: | --: |
| resnet50 | 1 | --fp16 | 0.220 | 0.221 | 0.800 | not ready in time | 7.0e-03 |
| bert_base | 8 | --fp16 | 0.650 | 0.660 | 1.700 | 0.820 | 1.0e-03 |
"""
SECOND = """NVIDIA H200, 580.1

| network | batch | option | Kiln, ms | held | eager | libraries | frozen | error |
| --- | --: | --- | --: | --: | --: | --: | --: | --: |
| swin_b | 1 | --fp16 | 0.790 | 0.791 | 1.900 | – | failed | 1.1e-03 |
| resnet50 | 1 | --fp16 | 0.230 | 0.231 | 0.810 | 0.390 | 0.430 | 7.0e-03 |
"""


def test_words_are_rows():
    assert networks.items_of([]) == [("resnet50", 1), ("resnet50", 8)]
    assert networks.items_of(["bert_base:8", "vit_b16"]) == [("bert_base", 8), ("vit_b16", 8), ("vit_b16", 128)]
    assert networks.items_of(["vgg16"]) == [("vgg16", 1)]
    assert len(networks.items_of(["all"])) == 18


def test_tables_become_one():
    lines = networks.merged([FIRST, SECOND]).splitlines()
    assert lines[0] == "NVIDIA H200"
    assert lines[2] == "| network | batch | option | Kiln, ms | held | eager | frozen | libraries | error |"
    assert lines[4:] == [
        "| resnet50 | 1 | --fp16 | 0.220 | 0.221 | 0.800 | 0.430 | 0.390 | 7.0e-03 |",
        "| bert_base | 8 | --fp16 | 0.650 | 0.660 | 1.700 | 0.820 | – | 1.0e-03 |",
        "| swin_b | 1 | --fp16 | 0.790 | 0.791 | 1.900 | failed | – | 1.1e-03 |",
    ]


def test_tables_of_several_cards_stay_apart():
    with pytest.raises(SystemExit, match="NVIDIA H100, NVIDIA H200"):
        networks.merged([FIRST, SECOND.replace("H200", "H100")])


def test_prototypes_are_found_by_name():
    text = "NETWORK4 r1: 56 kernels, sum alone plain 1.0 us, PDL 2.0 us | whole: plain 281.0 us, PDL 207.4 us, (PDL kernels)\nNETWORK4 r1 without: 1 kernels | whole: plain 1.0 us, PDL 2.0 us\n"
    assert networks.prototype_times({("resnet50", 1): "r1", ("resnet50", 8): "r8"}, text) == {("resnet50", 1): "0.207", ("resnet50", 8): "failed"}


def begin(tmp_path, monkeypatch, script, seconds=30.0):
    (tmp_path / "peers.py").write_text(script)
    monkeypatch.setattr(networks, "__file__", str(tmp_path / "networks.py"))
    return networks.Row(["eager", "compiled", "frozen"], "resnet50", 1, tmp_path / "log", seconds, tmp_path / "cache")


def test_what_is_ready_is_timed(tmp_path, monkeypatch):
    row = begin(tmp_path, monkeypatch, """
import os, sys
assert sys.argv[1:3] == ["resnet50", "1"] and sys.argv[4:] == ["eager", "compiled", "frozen"]
assert os.environ["TORCHINDUCTOR_CACHE_DIR"].endswith("cache")
print("ready eager 1.0", "failed compiled", "serving", sep="\\n", flush=True)
for line in sys.stdin:
    print(0.5 if line == "eager 0.3 0\\n" else "nothing", flush=True)
""")
    assert row.failures == {"eager": "", "compiled": "failed", "frozen": "not ready in time"}
    assert row.milliseconds("eager", 0.3, 0) == 0.5
    row.close()
    assert row.process.poll() == 0


def test_a_peer_that_ends_leaves_words(tmp_path, monkeypatch):
    row = begin(tmp_path, monkeypatch, "print('ready eager 1.0', flush=True)")
    assert set(row.failures.values()) == {"ended"}
    row = begin(tmp_path, monkeypatch, "print('ready eager 1.0', 'serving', sep='\\n', flush=True)")
    assert math.isnan(row.milliseconds("eager", 0.3, 0))
    assert row.failures.pop("eager") == "ended"
    assert set(row.failures.values()) <= {"not ready in time"}
    row.close()


def test_a_peer_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "GRACE_SECONDS", 0.2)
    start = time.monotonic()
    row = begin(tmp_path, monkeypatch, "import time\ntime.sleep(60)", seconds=0.3)
    assert time.monotonic() - start < 30 and set(row.failures.values()) == {"not ready in time"}
    row.close()


def test_rows_share_the_time(tmp_path, monkeypatch):
    shares = []
    monkeypatch.setattr(networks, "ROWS_AT_ONCE", 1)
    monkeypatch.setenv("PEER_SECONDS", "100")
    monkeypatch.setattr(networks, "Row", lambda kinds, name, batch, log, seconds, cache: shares.append((name, kinds, round(seconds))))
    peers = networks.Peers(["eager", "libraries"], [("vit_b16", 8), ("bert_base", 1)], tmp_path, tmp_path)
    peers.wait()
    assert shares == [("vit_b16", ["eager"], 50), ("bert_base", ["eager", "libraries"], 100)]
