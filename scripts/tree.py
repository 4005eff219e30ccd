"""The files of the tree and the #includes between them, for the check_*.py scripts."""
import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
CPP_SUFFIXES = (".h", ".cpp", ".inc")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def root_option(description):
    """An argument parser with --root, the folder that holds the tree."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--root", type=Path, default=HOME, help="folder that holds the tree")
    return parser


def files(root, folders=("",), suffixes=None):
    """Sorted paths relative to root, with slashes: what git tracks or would track; everything where git does not rule."""
    git = subprocess.run(["git", "-C", str(root), "ls-files", "-z", "-co", "--exclude-standard"], capture_output=True, text=True)
    names = git.stdout.split("\0") if git.returncode == 0 else walk(root)
    prefixes = tuple(folder + "/" if folder else "" for folder in folders)
    wanted = {name for name in names if name.startswith(prefixes) and (suffixes is None or name.endswith(tuple(suffixes)))}
    return sorted(name for name in wanted if (root / name).is_file())


def walk(root):
    for folder, _, names in os.walk(root):
        for name in names:
            yield Path(folder, name).relative_to(root).as_posix()


def read(root, name):
    return (root / name).read_text(encoding="utf-8", errors="replace")


def includes(root, name):
    """(line, path) of every #include in a file that means a file of the tree, or a path under a room that is made at build time."""
    text = read(root, name)
    for match in INCLUDE.finditer(text):
        target = resolve(root, name, match[2], quoted=match[1] == '"')
        if target:
            yield text.count("\n", 0, match.start()) + 1, target


def resolve(root, name, path, quoted):
    bases = ([os.path.dirname(name)] if quoted else []) + ["src", "include", "tests"]
    for base in bases:
        target = os.path.normpath(os.path.join(base, path)).replace(os.sep, "/")
        if (root / target).is_file():
            return target
    made_at_build_time = "/" in path and (root / "src" / path).parent.is_dir()
    return "src/" + path if made_at_build_time else None


def closure(root, name, known):
    """The files that `name` includes directly and indirectly; `known` caches direct includes between calls."""
    seen, todo = set(), [name]
    while todo:
        current = todo.pop()
        if current not in known:
            known[current] = [target for _, target in includes(root, current)] if (root / current).is_file() else []
        for target in known[current]:
            if target not in seen:
                seen.add(target)
                todo.append(target)
    return seen


def pinned_tool(name):
    """The program that scripts/dependencies.txt pins, or an end with the remedy."""
    version = re.search(rf"^{name}==(\S+)$", read(HOME, "scripts/dependencies.txt"), re.MULTILINE)[1]
    for program in (HOME / ".venv" / "bin" / name, shutil.which(name)):
        if program and Path(program).exists():
            told = subprocess.run([str(program), "--version"], capture_output=True, text=True).stdout
            if f"version {version}" in told:
                return str(program)
    sys.exit(f"{name} {version} is not installed: run scripts/setup.sh")
