"""check_format.py: complains about the shape, names the remedy, and --fix mends it."""


def test_format(small_tree):
    small_tree.passes("format")
    small_tree.write("src/ir/a.cpp", "// A.\nint   f( ) {return 1 ; }\n")
    small_tree.fails("format", "src/ir/a.cpp", "make format")
    assert small_tree.check("format", "--fix")[0] == 0
    assert (small_tree.root / "src/ir/a.cpp").read_text() == "// A.\nint f() { return 1; }\n"
    small_tree.passes("format")
