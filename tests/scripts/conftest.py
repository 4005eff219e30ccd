"""A small tree in a temporary folder, and a check run on it."""
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"

GOOD_TREE = {
    "CMakeLists.txt": "# Build of the small tree.\n",
    "src/base/error.h": "// Errors.\n#pragma once\n",
    "src/tensor/shape.h": '// Shapes.\n#pragma once\n#include "base/error.h"\n\n#include <vector>\n',
    "src/ops/op.h": '// Operators.\n#pragma once\n#include "tensor/shape.h"\n',
    "src/device/device.h": '// Devices.\n#pragma once\n#include "tensor/shape.h"\n',
    "src/backends/cpu/device/cpu_device.h": '// The CPU.\n#pragma once\n#include "device/device.h"\n',
    "src/backends/ref/device/step.cpp": '// Steps by reference.\n#include "ops/op.h"\n',
    "src/backends/list.cpp": '// The list.\n#include "backends/cpu/device/cpu_device.h"\n',
    "src/api/engine.cpp": '// ICudaEngine takes a cudaStream_t.\n#include "NvInfer.h"\n#include "backends/list.cpp"\n',
    "include/NvInfer.h": "// The API.\n#pragma once\n",
    "tools/kiln/main.cpp": '// The program.\n#include <NvInfer.h>\n',
}


class Tree:
    def __init__(self, root):
        self.root = root
        for name, text in GOOD_TREE.items():
            self.write(name, text)

    def write(self, name, content):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def check(self, what, *arguments):
        """(exit code, all output) of scripts/check_WHAT.py."""
        command = [sys.executable, str(SCRIPTS / f"check_{what}.py"), "--root", str(self.root), *arguments]
        result = subprocess.run(command, capture_output=True, text=True)
        return result.returncode, result.stdout + result.stderr

    def passes(self, what):
        code, output = self.check(what)
        assert code == 0, output
        return output

    def fails(self, what, *words):
        code, output = self.check(what)
        assert code == 1, output
        for word in words:
            assert word in output


@pytest.fixture
def small_tree(tmp_path):
    return Tree(tmp_path)
