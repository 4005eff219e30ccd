"""scripts/dockerfile.py understands what the Dockerfile says."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import dockerfile  # noqa: E402


def test_instructions():
    text = "# a comment\nFROM debian:12 AS build\n\nRUN one && \\\n    two\nCOPY --from=build /a/*.deb /tmp/\n"
    assert list(dockerfile.instructions(text)) == [("FROM", "debian:12 AS build"), ("RUN", "one &&      two"), ("COPY", "--from=build /a/*.deb /tmp/")]


def test_the_dockerfile_is_understood():
    found = list(dockerfile.instructions((dockerfile.ROOT / "Dockerfile").read_text()))
    assert {word for word, _ in found} == {"FROM", "RUN", "COPY", "WORKDIR", "ENTRYPOINT"}
    assert all(rest.split()[0] in dockerfile.SUITES for word, rest in found if word == "FROM")


def test_copies_between_stages(tmp_path):
    class Stage:
        def __init__(self, name):
            self.tree = tmp_path / name

        def inside(self, path):
            return self.tree / path.lstrip("/")

    build, last = Stage("build"), Stage("last")
    for name in ("a.deb", "b.deb", "c.txt"):
        (build.tree / "out").mkdir(parents=True, exist_ok=True)
        (build.tree / "out" / name).write_text(name)
    dockerfile.copy(last, {"build": build}, "--from=build /out/*.deb /tmp/")
    assert sorted(p.name for p in (last.tree / "tmp").iterdir()) == ["a.deb", "b.deb"]
