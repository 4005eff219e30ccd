#!/usr/bin/env python3
"""Checks that C++ files have the shape of .clang-format; --fix gives it to them."""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import tree

FOLDERS = ("src", "include", "tools", "tests", "bench", "server", "python")
SUFFIXES = (".h", ".cpp")  # .inc files are lists: one entry a line


def run(formatter, style, paths, fix):
    mode = ["-i"] if fix else ["--dry-run", "-Werror", "--ferror-limit=1"]
    return subprocess.run([formatter, f"--style=file:{style}", *mode, *paths], capture_output=True, text=True)


def main():
    parser = tree.root_option(__doc__)
    parser.add_argument("--fix", action="store_true", help="change the files")
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    formatter = tree.pinned_tool("clang-format")
    names = tree.files(root, FOLDERS, SUFFIXES)
    chunks = [[str(root / name) for name in names[start:start + 20]] for start in range(0, len(names), 20)]
    style = tree.HOME / ".clang-format"
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda paths: run(formatter, style, paths, arguments.fix), chunks))
    bad = sorted({line.split(":", 1)[0] for result in results for line in result.stderr.splitlines() if ": error: " in line})
    broken = [result.stderr for result in results if result.returncode and ": error: " not in result.stderr]
    for path in bad:
        print(f"format: {os.path.relpath(path, root)}: not in the shape of .clang-format; run `make format`", file=sys.stderr)
    for text in broken:
        print(f"format: {text}", file=sys.stderr)
    print(f"format: {len(names)} files, {len(bad) + len(broken)} problems")
    return 1 if bad or broken else 0


if __name__ == "__main__":
    sys.exit(main())
