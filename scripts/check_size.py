#!/usr/bin/env python3
"""Checks that files stay readable: their length, the number of function-like macros, and a first line that says what a file is."""
import re
import sys

import tree

LONG, TOO_LONG = 600, 1000
LONG_FILES = {  # path: why it is one file of more than 1,000 lines all the same
}
MACROS = 15
MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)\(", re.MULTILINE)

SOURCES = (*tree.CPP_SUFFIXES, ".py", ".sh", ".cmake", ".fbs", ".proto", "CMakeLists.txt", "Makefile")
COMMENT = {".cpp": "//", ".h": "//", ".inc": "//", ".fbs": "//", ".proto": "//", ".py": '"""'}
SAYS_SOMETHING = re.compile(r"\w{3}")


def check_length(root, names):
    for name in names:
        lines = tree.read(root, name).count("\n")
        if lines > TOO_LONG and name not in LONG_FILES:
            yield f"{name}: {lines} lines; split it, or list it with a reason in LONG_FILES of scripts/check_size.py"
        elif lines <= TOO_LONG and name in LONG_FILES:
            yield f"{name}: has only {lines} lines: take it off LONG_FILES"
        elif lines > LONG:
            print(f"size: warning: {name}: {lines} lines; think about splitting it")


def check_macros(root, names):
    macros = [f"{match[1]} ({name})" for name in names if name.endswith(tree.CPP_SUFFIXES) for match in MACRO.finditer(tree.read(root, name))]
    if len(macros) > MACROS:
        yield f"{len(macros)} function-like macros, at most {MACROS} are allowed: {', '.join(macros)}"


def check_first_line(root, names):
    for name in names:
        lines = tree.read(root, name).splitlines()
        if lines and lines[0].startswith("#!"):
            lines.pop(0)
        if not lines and name.endswith("__init__.py"):
            continue
        mark = next((mark for suffix, mark in COMMENT.items() if name.endswith(suffix)), "#")
        first = lines[0] if lines else ""
        if not first.startswith(mark) or not SAYS_SOMETHING.search(first[len(mark):]):
            yield f"{name}: the first line is not a comment ({mark}) that says what the file is"


def main():
    root = tree.root_option(__doc__).parse_args().root.resolve()
    names = tree.files(root, suffixes=SOURCES)
    problems = [*check_length(root, names), *check_macros(root, names), *check_first_line(root, names)]
    for problem in problems:
        print(f"size: {problem}", file=sys.stderr)
    print(f"size: {len(names)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
