#!/usr/bin/env python3
"""Runs clang-tidy over changed C++ files (--all: over all), remembering clean ones by the hash of all they include.

It looks at what the build compiles: one file, or several that are compiled as one. A changed header is looked at through one file that
includes it."""
import hashlib
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import tree

CLEAN = "build/tidy"  # an empty file for each clean (files, includes, flags, checks, version)
UNITY_PART = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
# What is deprecated the compiler of the build finds; clang finds it inside std::stable_sort, too.
WARNINGS = ["--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-deprecated-declarations"]
UNITY_CHECKS = "--checks=-bugprone-suspicious-include"  # such a file includes .cpp files


def git(root, *arguments):
    result = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
    return result.stdout.split("\n") if result.returncode == 0 else []


def changed_files(root):
    """Paths that differ from the main branch, or from the commit before when this is the main branch; with uncommitted ones."""
    head = git(root, "rev-parse", "HEAD")
    bases = [git(root, "merge-base", "HEAD", branch) for branch in ("origin/main", "main")]
    base = next((base[0] for base in bases if base and base != head), "HEAD~1")
    return {name for name in git(root, "diff", "--name-only", base) + git(root, "ls-files", "-o", "--exclude-standard") if name}


def covering(changed, compiled, sources):
    """What is compiled of the changed files, and for each other one the first of what includes it."""
    chosen = {name for name, (_, files) in compiled.items() if changed & set(files)}
    for path in sorted(changed - {path for name in chosen for path in sources[name]}):
        chosen |= set(sorted(name for name in compiled if path in sources[name])[:1])
    return [name for name in compiled if name in chosen]


def key(root, command, tool, sources):
    """Hash of everything that the result depends on, but system headers."""
    digest = hashlib.sha256(json.dumps([command, tool]).encode())
    for path in sorted({".clang-tidy", *sources}):
        if (root / path).is_file():
            digest.update(path.encode() + b"\0" + (root / path).read_bytes())
    return digest.hexdigest()


def units(root, folder):
    """{path: (command, files)} of what the build compiles: a file of the tree, or CMake's unity file with the files that it includes."""
    database = folder / "compile_commands.json"
    if not database.is_file():
        sys.exit(f"{database} does not exist: run `make build`")
    found = {}
    for entry in json.loads(database.read_text()):
        unit = Path(entry["file"])
        parts = UNITY_PART.findall(unit.read_text()) if unit.parent.name == "Unity" else [entry["file"]]
        files = [os.path.relpath(part, root) for part in parts if part.startswith(f"{root}/") and "/build/" not in part]
        if files:
            found[os.path.relpath(unit, root)] = entry["command"], files
    return found


def main():
    parser = tree.root_option(__doc__)
    parser.add_argument("--all", action="store_true", help="every file that the build compiles")
    parser.add_argument("--build", default="build/release", help="build folder with compile_commands.json (default: %(default)s)")
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    tool = tree.pinned_tool("clang-tidy")
    compiled, known = units(root, root / arguments.build), {}
    sources = {name: {path for file in files for path in (file, *tree.closure(root, file, known))} for name, (_, files) in compiled.items()}
    names = list(compiled) if arguments.all else covering(changed_files(root), compiled, sources)
    keys = {name: root / CLEAN / key(root, compiled[name][0], tool, sources[name]) for name in names}
    todo = [name for name in names if not keys[name].exists()]
    count = {name: len(files) for name, (_, files) in compiled.items()}
    print("tidy: {} files, {} to be clean, {} to look at".format(*(sum(count[name] for name in some) for some in (compiled, names, todo))), flush=True)
    clang = subprocess.run(["clang", "-print-resource-dir"], capture_output=True, text=True).stdout.strip()  # has omp.h

    def look(name):
        command = [tool, "-quiet", f"-p={root / arguments.build}", f"--extra-arg=-idirafter{clang}/include", *WARNINGS,
                   f"--config-file={root / '.clang-tidy'}", *([UNITY_CHECKS] if count[name] > 1 else []), str(root / name)]
        result = subprocess.run(command, capture_output=True, text=True)
        print(f"tidy: {' '.join(compiled[name][1])}{': not clean' if result.returncode else ''}", flush=True)
        if result.returncode == 0:
            keys[name].touch()
            return ""
        return result.stdout + (result.stderr if "error:" not in result.stdout else "")

    (root / CLEAN).mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        reports = list(pool.map(look, todo))
    for report in filter(None, reports):
        print(report, file=sys.stderr)
    bad = sum(bool(report) for report in reports)
    print(f"tidy: problems in {bad} of {len(todo)} compilations")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
