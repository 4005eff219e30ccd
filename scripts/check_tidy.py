#!/usr/bin/env python3
"""Runs clang-tidy over changed C++ files (--all: over all), newest first, remembering clean ones by the hash of all they include."""
import hashlib
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import tree

CLEAN = "build/tidy"  # an empty file for each clean (file, includes, flags, checks, version)


def git(root, *arguments):
    result = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
    return result.stdout.split("\n") if result.returncode == 0 else []


def changed_files(root):
    """Paths that differ from the main branch, or from the commit before when this is the main branch; with uncommitted ones."""
    head = git(root, "rev-parse", "HEAD")
    bases = [git(root, "merge-base", "HEAD", branch) for branch in ("origin/main", "main")]
    base = next((base[0] for base in bases if base and base != head), "HEAD~1")
    return {name for name in git(root, "diff", "--name-only", base) + git(root, "ls-files", "-o", "--exclude-standard") if name}


def newest_first(root, names):
    return sorted(names, key=lambda name: (root / name).stat().st_mtime, reverse=True)


def key(root, name, command, tool, known):
    """Hash of everything that the result depends on, but system headers."""
    digest = hashlib.sha256(json.dumps([command, tool]).encode())
    for path in sorted({".clang-tidy", name, *tree.closure(root, name, known)}):
        if (root / path).is_file():
            digest.update(path.encode() + b"\0" + (root / path).read_bytes())
    return digest.hexdigest()


def compile_commands(root, folder):
    database = folder / "compile_commands.json"
    if not database.is_file():
        sys.exit(f"{database} does not exist: run `make build`")
    entries = json.loads(database.read_text())
    inside = [entry for entry in entries if entry["file"].startswith(f"{root}/") and "/build/" not in entry["file"]]
    return {os.path.relpath(entry["file"], root): entry["command"] for entry in inside}


def main():
    parser = tree.root_option(__doc__)
    parser.add_argument("--all", action="store_true", help="every file that the build compiles, without a limit of time")
    parser.add_argument("--build", default="build/release", help="build folder with compile_commands.json (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=150, help="start no file after this time, unless --all (default: %(default)s)")
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    tool = tree.pinned_tool("clang-tidy")
    commands, known = compile_commands(root, root / arguments.build), {}
    changed = None if arguments.all else changed_files(root)
    names = [name for name in commands if changed is None or changed & {name, *tree.closure(root, name, known)}]
    keys = {name: root / CLEAN / key(root, name, commands[name], tool, known) for name in names}
    todo = newest_first(root, [name for name in names if not keys[name].exists()])
    print(f"tidy: {len(commands)} files, {len(names)} to be clean, {len(todo)} to look at", flush=True)
    clang = subprocess.run(["clang", "-print-resource-dir"], capture_output=True, text=True).stdout.strip()  # has omp.h
    stop = float("inf") if arguments.all else time.monotonic() + arguments.seconds

    def look(name):
        if time.monotonic() > stop:
            return None
        command = [tool, "-quiet", f"-p={root / arguments.build}", f"--extra-arg=-idirafter{clang}/include", "--extra-arg=-Wno-unknown-warning-option",
                   f"--config-file={root / '.clang-tidy'}", str(root / name)]
        result = subprocess.run(command, capture_output=True, text=True)
        print(f"tidy: {name}{': not clean' if result.returncode else ''}", flush=True)
        if result.returncode == 0:
            keys[name].touch()
            return ""
        return result.stdout + (result.stderr if "error:" not in result.stdout else "")

    (root / CLEAN).mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        reports = list(pool.map(look, todo))
    for report in filter(None, reports):
        print(report, file=sys.stderr)
    if reports.count(None):
        print(f"tidy: time is up, {reports.count(None)} files were not looked at; `make tidy` looks at all")
    bad = sum(bool(report) for report in reports)
    print(f"tidy: {bad} files with problems")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
