"""Installs the build into a temporary prefix and uses it from elsewhere: the program, the README's C++ example with its whole command line,
find_package(kiln), the libraries under the names of the field, and the two files of the run side alone."""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

MODEL = """
import numpy as np
import onnx
from onnx import TensorProto as T, helper as h, numpy_helper as nh
w = nh.from_array(np.ones((3, 4), np.float32), 'w')
graph = h.make_graph([h.make_node('MatMul', ['x', 'w'], ['m']), h.make_node('Relu', ['m'], ['y'])], 'net',
                     [h.make_tensor_value_info('x', T.FLOAT, ['n', 3])], [h.make_tensor_value_info('y', T.FLOAT, ['n', 4])], [w])
onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid('', 17)], ir_version=8), 'model.onnx')
"""
PROJECT = """cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 20)
find_package(kiln 0.1 REQUIRED)
add_executable(example example.cpp)
target_link_libraries(example kiln::kiln)
add_executable(field main.cpp)
target_link_libraries(field kiln::nvinfer kiln::nvonnxparser kiln::cudart)
add_executable(runs runs.cpp)
target_link_libraries(runs kiln::runtime)
"""
RUNS = """#include <NvInferRuntime.h>
struct Silent : nvinfer1::ILogger { void log(Severity, char const*) noexcept override {} };
int main() { Silent logger; auto* runtime = nvinfer1::createInferRuntime(logger); const bool made = runtime; delete runtime; return made ? 0 : 1; }
"""
EXPECTED = ["bin/kiln", "bin/trtexec", "include/NvInfer.h", "include/kiln/kiln.h", "lib/libkiln.so", "lib/libkiln_runtime.so",
            "lib/kiln/compat/libnvinfer.so", "lib/kiln/compat/libcudart.so", "lib/cmake/kiln/kilnConfig.cmake", "lib/pkgconfig/kiln.pc",
            "share/man/man1/kiln.1", "share/bash-completion/completions/kiln", "share/zsh/site-functions/_kiln"]


def run(*words, cwd, **environment):
    plain = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
    done = subprocess.run([*map(str, words)], cwd=cwd, env={**plain, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done.stdout


def check_tree(prefix, work):
    for name in EXPECTED:
        assert (prefix / name).exists(), f"{name} is not installed"
    page = run("man", "-l", prefix / "share/man/man1/kiln.1", cwd=work, MANPAGER="cat", MAN_KEEP_FORMATTING="") if has("man") else ""
    assert not page or ("kiln bench" in page and "--saveEngine" in page), page[:500]
    run("bash", "-c", f". {prefix}/share/bash-completion/completions/kiln && complete -p kiln", cwd=work)


def has(program):
    return subprocess.run(["sh", "-c", f"command -v {program}"], capture_output=True).returncode == 0


def check_program(prefix, work):
    path = f"{prefix}/bin:{os.environ['PATH']}"
    assert "x float32 (n)x3" in run("kiln", "inspect", "model.onnx", cwd=work, PATH=path)
    run("kiln", "build", "model.onnx", "--shapes=x:2x3", "-o", "model.plan", cwd=work, PATH=path)
    assert "Throughput" in run("kiln", "bench", "--loadEngine=model.plan", "--duration=0", "--warmUp=0", cwd=work, PATH=path)
    assert "GPU Compute Time" in run("trtexec", "--loadEngine=model.plan", "--duration=0", "--warmUp=0", cwd=work, PATH=path)
    run("kiln", "report", "model.plan", "-o", "report.html", cwd=work, PATH=path)
    assert (work / "report.html").stat().st_size > 0
    assert "agree" in run("kiln", "compare", "model.onnx", cwd=work, PATH=path)


def check_example(source, prefix, work):
    """The README's example, compiled by the README's line."""
    readme = (source / "README.md").read_text()
    (work / "example.cpp").write_text(re.search(r"^```cpp\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)[1])
    lines = re.search(r"^```sh\n(export PKG_CONFIG_PATH.*?)^```$", readme, re.MULTILINE | re.DOTALL)[1]
    home = work / "home"
    home.mkdir()
    (home / "kiln").symlink_to(prefix)
    assert "y: first element" in run("bash", "-e", "-c", lines, cwd=work, HOME=str(home))


def check_c_example(source, prefix, work):
    """examples/run.c, compiled by the line in its head."""
    (work / "run.c").write_bytes((source / "examples/run.c").read_bytes())
    line = re.search(r"^ \*\s+(cc run\.c .*?) \*/$", (work / "run.c").read_text(), re.MULTILINE)[1]
    run(sys.executable, "-c", MODEL.replace("'n'", "2").replace("model.onnx", "fixed.onnx"), cwd=work)
    out = run("bash", "-e", "-c", line.replace("model.onnx", "fixed.onnx").replace("cc run.c", "cc -std=c11 -Wall -Wextra -Werror run.c"),
              cwd=work, PKG_CONFIG_PATH=f"{prefix}/lib/pkgconfig")
    assert out == "y: first element 0\n", out
    done = subprocess.run(["./run", "nothing.onnx"], cwd=work, capture_output=True, text=True)
    assert done.returncode == 1 and "error[K1004]" in done.stderr, done.stderr


def check_cmake(source, prefix, work, cmake, compiler):
    (work / "CMakeLists.txt").write_text(PROJECT)
    (work / "runs.cpp").write_text(RUNS)
    (work / "main.cpp").write_bytes((source / "tests/install/main.cpp").read_bytes())
    run(cmake, "-S", ".", "-B", "out", f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_CXX_COMPILER={compiler}", cwd=work)
    run(cmake, "--build", "out", cwd=work)
    assert "first element" in run("out/example", "model.onnx", cwd=work)
    assert "TensorRT" in run("out/field", cwd=work)
    run("out/runs", cwd=work)


def check_run_side(build, work, cmake):
    """The component `runtime` is two files, which run an engine."""
    alone = work / "alone"
    run(cmake, "--install", build, "--prefix", alone, "--component", "runtime", cwd=work)
    files = sorted(p.name for p in alone.rglob("*") if p.is_file())
    assert len(files) == 2 and files[1] == "libkiln_runtime.so", files
    needed = subprocess.run(["ldd", str(alone / "lib" / files[0])], capture_output=True, text=True).stdout
    assert "not found" not in needed, needed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("source", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("cmake")
    parser.add_argument("compiler")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work, prefix = pathlib.Path(name) / "work", pathlib.Path(name) / "prefix"
        work.mkdir()
        run(arguments.cmake, "--install", arguments.build, "--prefix", prefix, cwd=work)
        run(sys.executable, "-c", MODEL, cwd=work)
        check_tree(prefix, work)
        check_program(prefix, work)
        check_example(arguments.source, prefix, work)
        check_c_example(arguments.source, prefix, work)
        check_cmake(arguments.source, prefix, work, arguments.cmake, arguments.compiler)
        check_run_side(arguments.build, work, arguments.cmake)


if __name__ == "__main__":
    main()
