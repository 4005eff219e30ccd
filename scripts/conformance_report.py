#!/usr/bin/env python3
"""Runs kiln_conformance on every back end and writes docs/conformance.md and docs/conformance.json.

    scripts/conformance_report.py [build/release/bin/kiln_conformance]
"""
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BACKENDS = ["ref", "ref-engine", "cpu", "cpu-reload"]
HEAD = """# Conformance

The backend tests that come with onnx 1.22.0, with the tolerance of onnx's own runner (rtol 1e-3, atol 1e-7, or what the test says) and no
special cases. `ref` evaluates the imported graph; `ref-engine`, `cpu` and `cpu-reload` compile it with all optimisations (tactics chosen by
order, not by time), `cpu-reload` serialises the engine and loads it again. `scripts/conformance_report.py` writes this file and
`conformance.json`; the counts below which the CTest entry `conformance` fails are in `tests/conformance/floors.txt`.

Engines take tensors of numbers only: the models with sequences, optionals or strings as inputs fail for that reason.

"""


def main() -> int:
    program = sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/release/bin/kiln_conformance"
    reports, results = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for backend in BACKENDS:
            report, data = f"{folder}/{backend}.md", f"{folder}/{backend}.json"
            run = subprocess.run([program, f"--backend={backend}", f"--report={report}", f"--json={data}"])
            if run.returncode not in (0, 1):
                return run.returncode
            reports[backend] = pathlib.Path(report).read_text(encoding="utf-8")
            results.append(json.loads(pathlib.Path(data).read_text(encoding="utf-8")))
    table = "| back end | passed | of | share |\n| --- | --: | --: | --: |\n"
    for r in results:
        passed, of = r["counts"]["all"]["passed"], r["counts"]["all"]["of"]
        table += f"| {r['backend']} | {passed} | {of} | {100 * passed / of:.1f} % |\n"
    (ROOT / "docs/conformance.md").write_text(HEAD + table + "\n" + "\n".join(reports.values()), encoding="utf-8")
    (ROOT / "docs/conformance.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
