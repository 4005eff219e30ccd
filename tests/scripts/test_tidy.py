"""check_tidy.py: finds a mistake in a file and in a header, remembers clean files, and looks again when a header changes."""
import importlib
import json
import shutil

import pytest
from conftest import SCRIPTS

CLEAN = "// A header.\n#pragma once\ninline int* none() { return nullptr; }\n"
BAD = "// A header.\n#pragma once\ninline int* none() { return 0; }\n"


@pytest.fixture
def built_tree(small_tree):
    shutil.copy(SCRIPTS.parent / ".clang-tidy", small_tree.root / ".clang-tidy")
    small_tree.write("src/ir/a.h", CLEAN)
    small_tree.write("src/ir/a.cpp", '// A file.\n#include "ir/a.h"\nint main() { return none() == nullptr ? 0 : 1; }\n')
    source, build = small_tree.root / "src/ir/a.cpp", small_tree.root / "build/release"
    entry = {"directory": str(build), "file": str(source), "command": f"c++ -I{small_tree.root}/src -c {source}"}
    small_tree.write("build/release/compile_commands.json", json.dumps([entry]))
    return small_tree


def test_tidy(built_tree):
    assert "1 to look at" in built_tree.check("tidy", "--all")[1]
    code, output = built_tree.check("tidy", "--all")
    assert code == 0 and "0 to look at" in output
    built_tree.write("src/ir/a.h", BAD)
    for _ in range(2):  # a file with problems is not remembered
        code, output = built_tree.check("tidy", "--all")
        assert code == 1 and "modernize-use-nullptr" in output and "a.h:3" in output
    built_tree.write("src/ir/a.h", CLEAN)
    assert built_tree.check("tidy", "--all")[0] == 0


def test_files_compiled_as_one(built_tree):
    root = built_tree.root
    unit = root / "build/release/Unity/unity_0_cxx.cxx"
    built_tree.write("src/ir/b.cpp", "// Another.\nint* other() { return 0; }\n")
    built_tree.write("build/release/Unity/unity_0_cxx.cxx", "".join(f'#include "{root}/src/ir/{n}.cpp"\n' for n in "ab"))
    entry = {"directory": str(root / "build/release"), "file": str(unit), "command": f"c++ -I{root}/src -c {unit}"}
    built_tree.write("build/release/compile_commands.json", json.dumps([entry]))
    code, output = built_tree.check("tidy", "--all")
    assert code == 1 and "2 to look at" in output and "b.cpp:2" in output


def test_no_build(small_tree):
    code, output = small_tree.check("tidy", "--all")
    assert code == 1 and "make build" in output


def test_each_change_is_looked_at_once(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    covering = importlib.import_module("check_tidy").covering
    compiled = {"u2": ("", ["b.cpp", "c.cpp"]), "u1": ("", ["a.cpp"]), "u0": ("", ["d.cpp"])}
    sources = {"u2": {"b.cpp", "c.cpp", "x.h", "y.h"}, "u1": {"a.cpp", "x.h", "y.h"}, "u0": {"d.cpp", "x.h"}}
    assert covering({"c.cpp"}, compiled, sources) == ["u2"]
    assert covering({"x.h"}, compiled, sources) == ["u0"]
    assert covering({"x.h", "y.h"}, compiled, sources) == ["u1", "u0"]
    assert covering({"x.h", "b.cpp", "README.md"}, compiled, sources) == ["u2"]
