"""The page of kiln report in a real browser without a screen: it draws, without an error, quickly, and small enough."""
import html
import json
import re
import shutil
import subprocess

import pytest
from conftest import save_model
from onnx import TensorProto, helper

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(not BROWSER, reason="no browser is installed (Debian: apt-get install chromium)")
LISTENER = """<script>window.addEventListener("error", e => window.failures = (window.failures || "") + e.message);</script>"""
PROBE = """<script>
const count = selector => document.querySelectorAll(selector).length;
document.title = "PROBE" + JSON.stringify({
  height: document.body.offsetHeight, ms: performance.now(), failures: window.failures || "", outside: performance.getEntriesByType("resource").length,
  boxes: count("#graph rect"), edges: count("#graph path"), rows: count("#layerTable tr") - 1, points: count("#roofline circle"),
  operators: count("#operatorTable tr") - 1, memory: count("#memoryMap rect"), differences: count("#differenceTable tr") - 1,
  texts: [...document.querySelectorAll("#graph text")].map(t => t.textContent)}) + "PROBE";
</script>"""


def browse(folder, page, *options):
    return subprocess.run([BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={folder}/browser",
                           "--window-size=1400,2400", *options, f"file://{folder}/{page}"], capture_output=True, text=True, timeout=1800)


def opened(folder, page):
    """What the page holds once it is drawn; its own errors are noted from the beginning."""
    text = (folder / page).read_text()
    (folder / "probed.html").write_text(text.replace("<head>", "<head>" + LISTENER, 1).replace("</body>", PROBE + "</body>"))
    done = browse(folder, "probed.html", "--dump-dom")
    found = re.search("PROBE(.*)PROBE</title>", done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    return json.loads(html.unescape(found[1]))


def chain(path, layers):
    """So many layers that no rule joins."""
    names = ["x", *(f"v{i}" for i in range(layers - 1)), "y"]
    nodes = [helper.make_node("Softmax" if i % 2 else "Transpose", [names[i]], [names[i + 1]], name=f"layer<{i}>&", **({"axis": 1} if i % 2 else {"perm": [1, 0]}))
             for i in range(layers)]
    save_model(path, nodes, {"x": (TensorProto.FLOAT, [4, 4])}, {"y": (TensorProto.FLOAT, [4, 4])})


@needs_browser
def test_two_engines_in_a_browser(kiln, network):
    kiln.ok("build", network, "-o", "a.plan")
    kiln.ok("build", network, "-o", "b.plan", "--builderOptimizationLevel=0", "--disable=post_operations")
    kiln.ok("report", "a.plan", "b.plan", "-o", "report.html", "--iterations=3")
    layers = json.loads(kiln.ok("inspect", "a.plan", "--json"))["layers"]
    page = opened(kiln.folder, "report.html")
    assert page["failures"] == "" and page["outside"] == 0
    assert page["boxes"] == page["rows"] == len(layers) and page["edges"] >= len(layers) - 2
    assert page["operators"] == len({layer["op"] for layer in layers}) and page["points"] > 0 and page["memory"] > 1
    assert page["differences"] >= len(layers) and any("Conv" in text for text in page["texts"])
    done = browse(kiln.folder, "report.html", f"--screenshot={kiln.folder}/page.png")
    image = (kiln.folder / "page.png").read_bytes() if (kiln.folder / "page.png").exists() else b""
    assert image.startswith(b"\x89PNG") and len(image) > 20000, done.stderr[-2000:]


@needs_browser
def test_ten_thousand_layers(kiln):
    chain(kiln.folder / "long.onnx", 10000)
    kiln.ok("build", "long.onnx", "--builderOptimizationLevel=0", "--quiet")
    count = len(json.loads(kiln.ok("inspect", "long.plan", "--json"))["layers"])
    kiln.ok("report", "long.plan", "-o", "report.html", "--iterations=1")
    page = opened(kiln.folder, "report.html")
    assert page["failures"] == "" and page["boxes"] == page["rows"] == count >= 5000
    assert any(text.startswith("layer<0>&") for text in page["texts"])


def test_size_of_a_page(kiln, network):
    """A page grows by little for each layer: one of a network of a hundred layers stays below 3 MB."""
    kiln.ok("build", network, "-o", "a.plan")
    kiln.ok("report", "a.plan", "-o", "report.html", "--iterations=2")
    layers = len(json.loads(kiln.ok("inspect", "a.plan", "--json"))["layers"])
    empty = (kiln.folder / "report.html").read_text()
    data = re.search(r"^const data = (.*);$", empty, re.MULTILINE)[1]
    assert len(empty) - len(data) < 40000 and len(data) / layers < 20000
