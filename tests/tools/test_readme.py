"""Every command of the README, on small models that lie where `make demo` leaves the large ones."""
import os
import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import PROGRAM, save_model
from onnx import TensorProto, helper, numpy_helper

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
F = TensorProto.FLOAT


def blocks():
    """Shell blocks of the README that a person types after `make demo`, in order."""
    section = README[README.index("## From a model to a measured engine"):README.index("## Installing")]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def classifier(path, dims, logits):
    random = np.random.default_rng(1)
    nodes = [helper.make_node("Conv", ["image", "w"], ["c"], name="conv", pads=[1] * 4, strides=[2, 2]),
             helper.make_node("Relu", ["c"], ["r"], name="relu"), helper.make_node("GlobalAveragePool", ["r"], ["p"], name="pool"),
             helper.make_node("Flatten", ["p"], ["f"], name="flatten"), helper.make_node("Gemm", ["f", "v"], ["logits"], name="fc")]
    save_model(path, nodes, {"image": (F, dims)}, {"logits": (F, [dims[0], logits])},
               {"w": random.standard_normal((8, dims[1], 3, 3)).astype(np.float32), "v": random.standard_normal((8, logits)).astype(np.float32)})


def kiln(folder, *arguments):
    done = subprocess.run([PROGRAM, *arguments], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def after_demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    demo = folder / "build/demo"
    (demo / "digits_test").mkdir(parents=True)
    (demo / "digits_data/test_data_set_0").mkdir(parents=True)
    (folder / "build/release").mkdir()
    (folder / "build/release/bin").symlink_to(Path(PROGRAM).resolve().parent)
    classifier(demo / "digits.onnx", ["batch", 1, 8, 8], 10)
    classifier(demo / "resnet50.onnx", [1, 3, 224, 224], 1000)
    images = np.random.default_rng(2).random((36, 1, 8, 8), dtype=np.float32)
    np.save(demo / "digits_test/input_0.npy", images)
    data = demo / "digits_data/test_data_set_0"
    (data / "input_0.pb").write_bytes(numpy_helper.from_array(images).SerializeToString())
    kiln(folder, "run", "build/demo/digits.onnx", "--loadInputs=image:build/demo/digits_test/input_0.npy", "--saveOutputs=logits.npy")
    (data / "output_0.pb").write_bytes(numpy_helper.from_array(np.load(folder / "logits.npy")).SerializeToString())
    kiln(folder, "build", "build/demo/resnet50.onnx", "-o", "build/demo/resnet50.engine")
    return folder


def test_every_command(after_demo):
    commands = [line.split("#")[0].strip() for block in blocks() for line in block.splitlines()]
    assert commands[0] == "export PATH=$PWD/build/release/bin:$PATH" and len(commands) > 15
    quick = {"bench": "--duration=0.02 --warmUp=1", "report": "--iterations=2"}
    for command in commands[1:]:
        assert command.startswith("kiln "), command
        more = quick.get(shlex.split(command)[1], "")
        done = subprocess.run(["bash", "-c", f"{commands[0]}\n{command} {more}"], cwd=after_demo, capture_output=True, text=True,
                              timeout=300, env={**os.environ, "LC_ALL": "C.UTF-8"})
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    for name in re.findall(r"(?:-o|=)\s*(\w+\.(?:plan|html|npy|json|svg))\b", "\n".join(commands)):
        assert (after_demo / name).stat().st_size > 0, name


def test_commands_and_files_that_it_names_exist():
    root = Path(__file__).resolve().parents[2]
    for path in set(re.findall(r"`((?:docs/|CHANGELOG|CONTRIBUTING)[\w./]+\.md)`", README)):
        assert (root / path).is_file(), path
    makefile = (root / "Makefile").read_text()
    for target in set(re.findall(r"(?:^|`)make (\w+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
