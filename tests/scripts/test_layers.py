"""check_layers.py: what the rank table allows and what it forbids."""
import pytest

FORBIDDEN = [  # (file, what it includes, part of the complaint)
    ("src/base/a.h", "tensor/shape.h", "upward"),
    ("src/base/a.h", "../tensor/shape.h", "upward"),
    ("src/device/a.h", "ops/op.h", "sideways"),
    ("src/runtime/a.h", "ops/op.h", "build side"),
    ("src/backends/cpu/device/a.h", "ops/op.h", "build side"),
    ("src/backends/cpu/device/a.h", "runtime/engine.h", "may see only"),
    ("src/frontends/onnx/a.cpp", "frontends/caffe/reader.h", "sideways"),
    ("src/ir/a.h", "NvInfer.h", "upward"),
    ("src/ir/a.h", "passes/made_at_build_time.h", "upward"),
    ("include/kiln/a.h", "base/error.h", "may see only"),
    ("tools/kiln/a.cpp", "base/error.h", "may see only"),
    ("tools/kiln/a.cpp", "../../src/base/error.h", "may see only"),
    ("src/elsewhere/a.h", "base/error.h", "no rank"),
]


def test_good_tree_passes(small_tree):
    assert "0 problems" in small_tree.passes("layers")


@pytest.mark.parametrize("name, included, complaint", FORBIDDEN)
def test_forbidden_include(small_tree, name, included, complaint):
    small_tree.write("src/runtime/engine.h", "// Engines.\n")
    small_tree.write("src/frontends/caffe/reader.h", "// Reader.\n")
    small_tree.write("src/passes/pass.h", "// Passes.\n")
    small_tree.passes("layers")
    small_tree.write(name, f'// A file.\n#include "{included}"\n')
    small_tree.fails("layers", name, complaint)


def test_header_cycle(small_tree):
    small_tree.write("src/ir/a.h", '// A.\n#include "ir/b.h"\n')
    small_tree.write("src/ir/b.h", '// B.\n#include "c.h"\n')
    small_tree.write("src/ir/c.h", "// C.\n")
    small_tree.passes("layers")
    small_tree.write("src/ir/c.h", '// C.\n#include "ir/a.h"\n')
    small_tree.fails("layers", "header cycle: src/ir/a.h -> src/ir/b.h -> src/ir/c.h -> src/ir/a.h")


@pytest.mark.parametrize("text", ["int cpu;", "class CpuDevice;", "// runs on the CPU", "cuda_launch();", "ICudaEngine* e;", '"NCUDA"'])
def test_device_words(small_tree, text):
    small_tree.write("src/backends/gpu/device/a.h", f"// A.\n{text}\n")
    small_tree.passes("layers")
    small_tree.write("src/runtime/a.h", f"// A.\n{text}\n")
    small_tree.fails("layers", "src/runtime/a.h:2: the word")


def test_device_word_in_a_file_name(small_tree):
    small_tree.write("src/tuner/cpu_timer.h", "// A timer.\n")
    small_tree.fails("layers", "src/tuner/cpu_timer.h:0")


def test_api_has_only_the_allowed_device_words(small_tree):
    small_tree.write("src/api/a.cpp", "// A.\nvoid enqueueV3(cudaStream_t s, ICudaEngine& e);\n")
    small_tree.passes("layers")
    small_tree.write("src/api/a.cpp", "// A.\nvoid on_cpu();\n")
    small_tree.fails("layers", "on_cpu")


@pytest.mark.parametrize("text", ['open_device("gpu");', 'open_device("gpu:1");', "gpu::target();", "list = ['gpu']"])
def test_names_of_back_ends(small_tree, text):
    small_tree.write("src/runtime/a.h", f"// A.\n{text}\n")
    small_tree.passes("layers")  # there is no such back end
    small_tree.write("src/backends/gpu/device/a.h", f"// A.\n{text}\n")
    small_tree.fails("layers", "src/runtime/a.h:2", "names a back end")
    small_tree.write("src/runtime/a.h", "// A gpu, a gpu_unit and \"gpus\".\n")
    small_tree.passes("layers")
