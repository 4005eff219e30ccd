#!/usr/bin/env python3
"""Runs kiln_conformance on every back end and writes docs/conformance.md and docs/conformance.json.

    scripts/conformance_report.py [build/release/bin/kiln_conformance]
"""
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BACKENDS = ["evaluate", "ref", "cpu", "cpu-reload"]
HEAD = """# Conformance

The backend tests that come with onnx 1.22.0, with the tolerance of onnx's own runner (rtol 1e-3, atol 1e-7, or what the test says) and no
special cases. `evaluate` evaluates the imported graph; `ref`, `cpu` and `cpu-reload` compile it with all optimisations (tactics chosen by
order, not by time), `cpu-reload` serialises the engine and loads it again. `scripts/conformance_report.py` writes this file and
`conformance.json`; the counts below which the CTest entry `conformance` fails are in `tests/conformance/floors.txt`.

"""


def cause_of(failure) -> str:
    """What failed, without the names and numbers of one test."""
    text = re.sub(r"\s+", " ", failure["cause"].replace("|", "/"))
    operator = re.search(r"\((\S+), opset \d+\): (.*?)(?: remedy:|$)", text)
    if failure["stage"] == "import" and operator:
        return f"{operator[1]}: {operator[2]}".strip().rstrip(":")[:140]
    text = re.sub(r"error\[K\d+\] ", "", re.sub(r"'[^']*'", "'…'", text))
    return f"{failure['stage']}: {re.sub(r'[0-9][0-9.e+-]*', '#', text)[:120]}"


def counts_table(results) -> str:
    kinds = list(results[0]["counts"])
    lines = ["| back end | " + " | ".join(kinds) + " |", "| --- |" + " --: |" * len(kinds)]
    for r in results:
        cells = [f"{c['passed']} of {c['of']} ({100 * c['passed'] / c['of']:.1f} %)" for c in (r["counts"][k] for k in kinds)]
        lines.append(f"| {r['backend']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def failures_table(results) -> str:
    """A cause once, with the back ends that it concerns."""
    seen = collections.defaultdict(dict)  # test: cause: back ends
    for r in results:
        for failure in r["failed"]:
            seen[failure["name"]].setdefault(cause_of(failure), []).append(r["backend"])
    groups = collections.defaultdict(list)
    for name, causes in seen.items():
        for cause, backends in causes.items():
            groups[cause, tuple(backends)].append(name.replace("node/test_", "").replace("/test_", "/"))
    lines = ["| tests | back ends | cause | names |", "| --: | --- | --- | --- |"]
    for (cause, backends), names in sorted(groups.items(), key=lambda g: (-len(g[1]), g[0])):
        which = "all" if len(backends) == len(results) else ", ".join(backends)
        lines.append(f"| {len(names)} | {which} | {cause} | {', '.join(sorted(names))} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    program = sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/release/bin/kiln_conformance"
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for backend in BACKENDS:
            data = f"{folder}/{backend}.json"
            run = subprocess.run([program, f"--backend={backend}", f"--json={data}"])
            if run.returncode not in (0, 1):
                return run.returncode
            results.append(json.loads(pathlib.Path(data).read_text(encoding="utf-8")))
    text = HEAD + counts_table(results) + "\n## Failures by cause\n\n" + failures_table(results)
    (ROOT / "docs/conformance.md").write_text(text, encoding="utf-8")
    (ROOT / "docs/conformance.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
