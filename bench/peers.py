"""The runtimes that Kiln is measured against, each a process of its own: `python peers.py NAME MODEL THREADS PRECISION` (f32 or bf16,
of which ONNX Runtime has the first) reads numbers of seconds and answers each with the median time of an inference in milliseconds."""
import statistics
import sys
import time

import numpy as np

TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int64)": np.int64, "tensor(int32)": np.int32}


def feeds(inputs):
    """Random values for (name, dims, ONNX type) of each input; dimensions that are not numbers are 1."""
    random, values = np.random.default_rng(0), {}
    for name, dims, kind in inputs:
        shape, dtype = [d if isinstance(d, int) else 1 for d in dims], TYPES[kind]
        floats = np.issubdtype(dtype, np.floating)
        values[name] = (random.standard_normal(shape) if floats else random.integers(0, 2, shape)).astype(dtype)
    return values


def session(model, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def model_feeds(of):
    return feeds([(i.name, i.shape, i.type) for i in of.get_inputs()])


def onnxruntime_call(model, threads, _):
    made = session(model, threads)
    values = model_feeds(made)
    return lambda: made.run(None, values)


def openvino_call(model, threads, precision):
    import openvino

    values = model_feeds(session(model, 1))
    compiled = openvino.Core().compile_model(
        model, "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision})
    request = compiled.create_infer_request()
    request.infer(values)
    return request.infer  # the inputs stay bound


CALLS = {"onnxruntime": onnxruntime_call, "openvino": openvino_call}


def median_ms(call, seconds):
    call()
    times, start = [], time.perf_counter()
    while time.perf_counter() - start < seconds or len(times) < 3:
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
    return 1e3 * statistics.median(times)


def main():
    name, model, threads, precision = sys.argv[1:]
    start = time.perf_counter()
    call = CALLS[name](model, int(threads), precision)
    call()
    print(time.perf_counter() - start, flush=True)
    for line in sys.stdin:
        print(median_ms(call, float(line)), flush=True)


if __name__ == "__main__":
    main()
