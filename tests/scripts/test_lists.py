"""check_lists.py: words and definitions of the lists."""
import pytest

LIST = "// One sorted word per operator of the family 'math'.\nKILN_OP(abs_op)\nKILN_OP(sin_op)\n"


@pytest.fixture
def listed(small_tree):
    small_tree.write("src/ops/math/list.inc", LIST)
    small_tree.write("src/ops/math/abs.cpp", '// Abs.\nconst OpDef abs_op = pointwise("Abs");\n')
    small_tree.write("src/ops/math/sin.cpp", '// Sin.\nconst OpDef sin_op =\n    pointwise("Sin");\n')
    return small_tree


def test_a_sound_list(listed):
    listed.write("src/ops/families.inc", '// All lists.\n#include "ops/math/list.inc"\n')
    listed.write("src/ops/math/helper.cpp", "// No operator.\n")
    assert "2 lists, 0 problems" in listed.passes("lists")


def test_a_missing_word(listed):
    listed.write("src/ops/math/cos.cpp", '// Cos.\nconst OpDef cos_op = pointwise("Cos");\n')
    listed.fails("lists", "src/ops/math/cos.cpp: defines cos_op, which src/ops/math/list.inc lacks: add KILN_OP(cos_op)")


def test_a_word_without_definition(listed):
    listed.write("src/ops/math/list.inc", LIST + "KILN_OP(tan_op)\n")
    listed.fails("lists", "src/ops/math/list.inc: no file beside it defines tan_op")


def test_order_and_repetition(listed):
    listed.write("src/ops/math/list.inc", LIST + "KILN_OP(abs_op)\n")
    listed.fails("lists", "abs_op stands there twice", "abs_op stands behind sin_op")


def test_lists_with_an_order_of_their_own(listed):
    listed.write("src/ops/math/list.inc", "// By preference.\nKILN_OP(sin_op)\nKILN_OP(abs_op)\n")
    listed.passes("lists")


@pytest.mark.parametrize("macro, definition", [
    ("KILN_RULE", "const Rule word{"), ("KILN_TACTIC", "const Tactic word{"), ("KILN_ONNX_OP", 'const OnnxOp word{"Word", {'),
    ("KILN_KERNEL", "std::unique_ptr<Kernel> make_word(const Attributes& parameters) {")])
def test_every_kind_of_list(small_tree, macro, definition):
    small_tree.write("src/things/list.inc", f"// Words.\n{macro}(other)\n")
    small_tree.write("src/things/deep/word.cpp", f"// A word.\n{definition}\n")
    small_tree.fails("lists", f"defines word, which src/things/list.inc lacks: add {macro}(word)", "no file beside it defines other")


def test_unknown_kinds(small_tree):
    small_tree.write("src/things/list.inc", "// Words.\nKILN_NEW(word)\n")
    small_tree.fails("lists", "entries of KILN_NEW")


@pytest.mark.parametrize("line, sound", [
    ("#if __CUDA_ARCH__ >= 800", True), ("#if __CUDA_ARCH__ >= 900 && 1", True), ("#if defined(__CUDA_ARCH_FEAT_SM90_ALL)", True),
    ("#if __CUDA_ARCH__ >= 890", False), ("#if __CUDA_ARCH__ < 900", False), ("#ifdef __CUDA_ARCH__", False),
    ("#if __CUDA_ARCH__ >= 800 && __CUDA_ARCH__ >= 900", True), ("#if __CUDA_ARCH__ >= 800 && __CUDA_ARCH__ < 900", False),
    ("#if __CUDA_ARCH__ >= 900 || __CUDA_ARCH__ >= 890", False)])
def test_capabilities_that_kernels_ask_for(small_tree, line, sound):
    small_tree.write("src/backends/cuda/CMakeLists.txt", "set(KILN_CUDA_ASKED 80 90)\n")
    small_tree.write("src/backends/cuda/device/cu/some.cuh", f"// Some.\n{line}\n#endif\n")
    if sound:
        small_tree.passes("lists")
    else:
        small_tree.fails("lists", "some.cuh: asks '__CUDA_ARCH__", "KILN_CUDA_ASKED in src/backends/cuda/CMakeLists.txt has 800, 900")


@pytest.mark.parametrize("name", ["__CUDA_ARCH_SPECIFIC__", "__CUDA_ARCH_FAMILY_SPECIFIC__", "__CUDA_ARCH_FEAT_SM100_ALL", "__CUDA_ARCH_FEAT_SM90_ALLY"])
def test_architectures_that_kernels_ask_for(small_tree, name):
    small_tree.write("src/backends/cuda/CMakeLists.txt", "set(KILN_CUDA_ASKED 80 90)\n")
    small_tree.write("src/backends/cuda/device/cu/some.cuh", f"// Some.\n#if __CUDA_ARCH__ >= 900 && defined({name})\n#endif\n")
    small_tree.fails("lists", f"some.cuh: asks '{name}'")


def test_a_build_that_does_not_say_what_kernels_ask_for(small_tree):
    small_tree.write("src/backends/cuda/CMakeLists.txt", "# No list.\n")
    small_tree.fails("lists", "src/backends/cuda/CMakeLists.txt: has no line 'set(KILN_CUDA_ASKED …)'")
