#!/usr/bin/env python3
"""Writes quantized forms of networks, as ONNX Runtime's static quantization makes them: pairs of QuantizeLinear and DequantizeLinear in int8,
or operators of integers (QLinearConv and its like), weights with a scale per channel, seeded random data. They are anchors of speed, not of
accuracy."""
import argparse
import pathlib
import tempfile

import numpy as np
import onnx

SUFFIX = "_int8"
OPERATORS = "_qop"  # of operators of integers
IMAGES = ["Conv", "Gemm", "MatMul", "Add", "MaxPool", "GlobalAveragePool"]
TOKENS = ["Gemm", "MatMul"]
SAMPLES = 2


def seeded_reader(path):
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self):
            random, inputs = np.random.default_rng(0), onnx.load(path).graph.input
            self.samples = iter([{i.name: self.values(random, i.type.tensor_type) for i in inputs} for _ in range(SAMPLES)])

        @staticmethod
        def values(random, kind):
            dims = [d.dim_value for d in kind.shape.dim]
            if kind.elem_type == onnx.TensorProto.FLOAT:
                return random.uniform(-1, 1, dims).astype(np.float32)
            return random.integers(0, 2, dims).astype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))

        def get_next(self):
            return next(self.samples, None)

    return Reader()


def write(path, out, operators=None, pairs=True):
    """The quantized form of the network at `path`; `operators`: those that are quantized. Not in pairs: by operators of integers."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    convolves = any(n.op_type == "Conv" for n in onnx.load(path).graph.node)
    with tempfile.TemporaryDirectory() as folder:
        prepared = str(pathlib.Path(folder) / "prepared.onnx")
        quant_pre_process(str(path), prepared, skip_symbolic_shape=True)
        quantize_static(prepared, str(out), seeded_reader(prepared), per_channel=True,
                        quant_format=QuantFormat.QDQ if pairs else QuantFormat.QOperator,
                        op_types_to_quantize=operators or (IMAGES if convolves else TOKENS), activation_type=QuantType.QInt8,
                        weight_type=QuantType.QInt8, extra_options={"ActivationSymmetric": True, "WeightSymmetric": True})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=pathlib.Path, help="NAME.onnx; NAME_int8.onnx is written beside it")
    parser.add_argument("--operators", action="store_true", help="write NAME_qop.onnx, with operators of integers instead of pairs")
    options = parser.parse_args()
    for path in options.models:
        write(path, path.with_name(path.stem + (OPERATORS if options.operators else SUFFIX) + path.suffix), pairs=not options.operators)


if __name__ == "__main__":
    main()
