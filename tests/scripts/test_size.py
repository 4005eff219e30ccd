"""check_size.py: length, macros and first lines."""
import pytest


def lines(count):
    return "// A file.\n" + "int x;\n" * (count - 1)


def test_good_tree_passes(small_tree):
    assert "warning" not in small_tree.passes("size")


def test_length(small_tree):
    small_tree.write("src/ir/a.cpp", lines(600))
    assert "warning" not in small_tree.passes("size")
    small_tree.write("src/ir/a.cpp", lines(601))
    assert "warning: src/ir/a.cpp: 601 lines" in small_tree.passes("size")
    small_tree.write("src/ir/a.cpp", lines(1000))
    small_tree.passes("size")
    small_tree.write("src/ir/a.cpp", lines(1001))
    small_tree.fails("size", "src/ir/a.cpp: 1001 lines")


def test_macros(small_tree):
    macros = [f"#define M{i}(x) x\n" for i in range(16)]
    small_tree.write("src/ir/a.h", "// Macros.\n#define NAME (1)\n" + "".join(macros[:8]))
    small_tree.write("src/ir/b.h", "// More macros.\n" + "".join(macros[8:15]))
    small_tree.passes("size")
    small_tree.write("src/ir/b.h", "// More macros.\n" + "".join(macros[8:]))
    small_tree.fails("size", "16 function-like macros", "M15 (src/ir/b.h)")


FIRST_LINES = [
    ("src/ir/a.h", "// Graphs.\n", "#pragma once\n// Graphs.\n"),
    ("src/ir/a.cpp", "// Graphs.\n", "//\n"),
    ("scripts/a.py", '#!/usr/bin/env python3\n"""Does it."""\n', "#!/usr/bin/env python3\nimport sys\n"),
    ("scripts/a.sh", "#!/bin/bash\n# Does it.\n", "#!/bin/bash\nset -e\n"),
    ("src/CMakeLists.txt", "# The rooms.\n", "project(x)\n"),
]


@pytest.mark.parametrize("name, good, bad", FIRST_LINES)
def test_first_line(small_tree, name, good, bad):
    small_tree.write(name, good)
    small_tree.passes("size")
    small_tree.write(name, bad)
    small_tree.fails("size", f"{name}: the first line")
