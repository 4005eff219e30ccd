"""Writes small real models into the folder argv[1]: those of the ONNX wheel, and those of the reader's own tests."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

import onnx

MOST_BYTES = 8192
folder = pathlib.Path(sys.argv[1])
data = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data"
writer = pathlib.Path(__file__).parent.parent / "onnx" / "make_models.py"


def add(name, model):
    if model.stat().st_size <= MOST_BYTES:
        shutil.copyfile(model, folder / name)


for kind in ("node", "simple", "pytorch-converted", "pytorch-operator"):
    for model in sorted((data / kind).glob("*/model.onnx")):
        add(f"{kind}_{model.parent.name}.onnx", model)
with tempfile.TemporaryDirectory() as temporary:
    models = pathlib.Path(temporary) / "models"
    models.mkdir()
    subprocess.run([sys.executable, writer, models], check=True, stdout=subprocess.DEVNULL)
    for model in sorted(models.glob("*.onnx")):
        if str(models).encode() not in model.read_bytes():  # one names its folder, which is another in each run
            add(f"own_{model.name}", model)
