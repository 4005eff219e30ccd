"""Names of packages in scripts/dependencies.txt and in the Dockerfile: the system's package manager knows each."""
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def listed():
    section = (ROOT / "scripts/dependencies.txt").read_text().split("[debian]")[1].split("\n[")[0]
    return [line.strip() for line in section.splitlines() if line.strip() and not line.startswith("#")]


def in_dockerfile():
    names = []
    for line in re.findall(r"apt-get install ([^&\n]*)", (ROOT / "Dockerfile").read_text()):
        names += [word for word in line.split() if not word.startswith("-") and not word.startswith("/")]
    return names


def candidates(names):
    """{name: version} of those that can be installed."""
    text = subprocess.run(["apt-cache", "policy", *names], capture_output=True, text=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}).stdout
    return {name: version for name, version in re.findall(r"^(\S+):\n  Installed: .*\n  Candidate: (\S+)", text, re.MULTILINE) if version != "(none)"}


def test_debian_knows_every_package():
    if not shutil.which("apt-cache") or "libc6" not in candidates(["libc6"]):
        pytest.skip("no list of packages (apt-get update)")
    names = listed() + in_dockerfile()
    assert len(names) > 20 and {"make", "git", "ca-certificates"} <= set(in_dockerfile())
    known = candidates(names)
    assert [name for name in names if name not in known] == []
    assert candidates(["libkiln-that-is-nowhere-dev"]) == {}


def test_the_dockerfile_uses_what_is_there():
    text = (ROOT / "Dockerfile").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"RUN make (\w+)", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert "build/release/packages" in (ROOT / "scripts/package.sh").read_text() or "build/release/packages" in makefile
    base = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert len({image.split(":")[1].split("-")[0] for image in base}) == 1  # what is built and what runs have the same libraries
