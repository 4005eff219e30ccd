"""Every stage of the compiler and the tuner has a test of its own name."""
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("room", ["compiler", "tuner"])
def test_each_file_has_a_test(room):
    sources = {path.stem for path in (TREE / "src" / room).glob("*.cpp")}
    tests = {path.stem.removesuffix("_test") for path in (TREE / "tests" / room).glob("*_test.cpp")}
    assert sources and not sources - tests, f"tests/{room} has no test for {sorted(sources - tests)}"
