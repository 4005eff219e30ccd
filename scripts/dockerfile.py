#!/usr/bin/env python3
"""Carries out the Dockerfile without docker: each stage in a tree of its own that debootstrap made, entered by chroot. Needs root.

    scripts/dockerfile.py FOLDER [--bind PATH]...      FOLDER/base: the tree of `FROM`, made when it is missing

Understands what the Dockerfile uses: FROM, RUN, COPY, WORKDIR and ENTRYPOINT. At the end the program of the last stage runs with --version.
A base tree of a machine whose registries need settings of their own (certificates, a proxy) is made before, and gets them there."""
import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
SUITES = {"debian:12": "bookworm", "debian:12-slim": "bookworm"}
MOUNTS = {"proc": "proc", "dev": None, "sys": None}  # name: type of a new mount, None: the host's is bound


def run(*words, **options):
    print("+", *map(str, words), flush=True)
    subprocess.run([*map(str, words)], check=True, **options)


class Stage:
    """A copy of the base tree; its mounts last as long as the `with` block."""

    def __init__(self, base, tree, binds):
        self.tree, self.folder, self.entry = tree, "/", []
        run("cp", "-a", "--reflink=auto", base, tree)
        shutil.copy("/etc/resolv.conf", tree / "etc/resolv.conf")
        self.mounts = []
        for name, kind in MOUNTS.items():
            self.mount(tree / name, ["-t", kind, kind] if kind else ["--rbind", "--make-rslave", f"/{name}"])
        for path in binds:
            self.mount(tree / path.lstrip("/"), ["--bind", path])

    def mount(self, at, how):
        at.mkdir(parents=True, exist_ok=True)
        run("mount", *how, at)
        self.mounts.append(at)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for at in reversed(self.mounts):
            run("umount", "-R", "-l", at)

    def run(self, command):
        run("chroot", self.tree, "/bin/sh", "-ec", f"cd {self.folder}\n{command}")

    def inside(self, path):
        return self.tree / path.lstrip("/")


def instructions(text):
    """(word, rest) of each instruction; lines that end in a backslash go on."""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if line.strip() and not line.startswith("#"):
            word, rest = line.split(None, 1)
            yield word, rest.strip()


def copy(stage, stages, rest):
    words = rest.split()
    source = next((stages[w.split("=")[1]] for w in words if w.startswith("--from=")), None)
    *names, to = [w for w in words if not w.startswith("--")]
    target = stage.inside(to)
    target.mkdir(parents=True, exist_ok=True)
    if source is None:
        if names != ["."]:
            sys.exit(f"COPY {rest}: only the whole tree is copied from outside")
        subprocess.run(f"git -C '{ROOT}' archive HEAD | tar -x -C '{target}'", shell=True, check=True)
        return
    for name in names:
        found = sorted(source.tree.glob(name.lstrip("/")))
        if not found:
            sys.exit(f"COPY {rest}: there is no {name}")
        for path in found:
            shutil.copy(path, target)


def carry_out(base, work, binds):
    stages, stage = {}, None
    with contextlib.ExitStack() as open_stages:
        for word, rest in instructions((ROOT / "Dockerfile").read_text()):
            print(f"== {word} {rest}", flush=True)
            if word == "FROM":
                image, _, name = rest.partition(" AS ")
                if image not in SUITES:
                    sys.exit(f"FROM {image}: known are {', '.join(SUITES)}")
                name = name or "last"
                stage = stages[name] = open_stages.enter_context(Stage(base, work / name, binds))
            elif word == "RUN":
                stage.run(rest)
            elif word == "COPY":
                copy(stage, stages, rest)
            elif word == "WORKDIR":
                stage.folder = rest
            elif word == "ENTRYPOINT":
                stage.entry = json.loads(rest)
            else:
                sys.exit(f"{word} is not understood")
        stage.run(" ".join([*stage.entry, "--version"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--bind", action="append", default=[], help="folder of this machine that is there in each stage, too")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("only root may enter another root folder")
    base = arguments.folder / "base"
    if not base.is_dir():
        run("debootstrap", "--variant=minbase", SUITES["debian:12"], base)
    work = pathlib.Path(tempfile.mkdtemp(prefix="stages-", dir=arguments.folder))
    carry_out(base, work, arguments.bind)
    print(f"the stages are in {work}")


if __name__ == "__main__":
    main()
