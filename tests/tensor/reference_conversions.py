"""Converts arrays with numpy, ml_dtypes and the ONNX reference; convert_test.cpp compares its own results with these.

Usage: reference_conversions.py FOLDER. For each FOLDER/FROM.in (elements of type FROM, sub-byte ones in a byte each) and each
type TO writes FOLDER/FROM.TO.SATURATE with the converted elements in the same form.
"""
import pathlib
import sys

import ml_dtypes
import numpy as np
import onnx.numpy_helper

TYPES = {
    "bool": np.bool_, "uint2": ml_dtypes.uint2, "int2": ml_dtypes.int2, "uint4": ml_dtypes.uint4, "int4": ml_dtypes.int4,
    "uint8": np.uint8, "int8": np.int8, "uint16": np.uint16, "int16": np.int16, "uint32": np.uint32, "int32": np.int32,
    "uint64": np.uint64, "int64": np.int64, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32,
    "float64": np.float64, "float8e4m3fn": ml_dtypes.float8_e4m3fn, "float8e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "float8e5m2": ml_dtypes.float8_e5m2, "float8e5m2fnuz": ml_dtypes.float8_e5m2fnuz, "float8e8m0": ml_dtypes.float8_e8m0fnu,
    "float4e2m1": ml_dtypes.float4_e2m1fn,
}
FLOAT8 = {"float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz"}
SMALL = FLOAT8 | {"bfloat16", "float4e2m1"}


def to_odd(x):
    """float64 to float32 rounded to odd, after which a second rounding to fewer bits does no harm (ml_dtypes rounds twice)."""
    near = x.astype(np.float32)
    exact = (near.astype(np.float64) == x) | np.isnan(x) | np.isinf(x)
    down = np.where(np.abs(near.astype(np.float64)) > np.abs(x), np.nextafter(near, np.float32(0)), near)
    return np.where(exact, near, (down.view(np.uint32) | np.uint32(1)).view(np.float32))


def to_e8m0(x, saturate):
    """The ONNX reference where the ONNX text does not say otherwise: infinities, values below 2^-127, negative ones (NaN)."""
    x = x.astype(np.float32)
    out = onnx.numpy_helper.to_float8e8m0(x, saturate, "up").view(np.uint8)
    out = np.where(np.isinf(x), 0xFE if saturate else 0xFF, out)
    out = np.where(np.abs(x) < np.float32(2.0**-127), 0x00 if saturate else 0xFF, out)
    out = np.where(np.abs(x) == np.float32(2.0**-127), 0x00, out)
    return np.where(np.isnan(x) | (x < 0), 0xFF, out).astype(np.uint8).view(ml_dtypes.float8_e8m0fnu)


def convert(x, to, saturate):
    dtype = TYPES[to]
    if x.dtype == dtype:
        return x
    if to == "float8e8m0":
        return to_e8m0(x, saturate)
    if x.dtype == np.float64 and to in SMALL:
        x = to_odd(x)
    if to in FLOAT8 and saturate:
        limit = float(ml_dtypes.finfo(dtype).max)
        x = np.clip(x.astype(np.float32), -limit, limit)
    if not np.can_cast(x.dtype, dtype, "unsafe"):
        x = x.astype(np.float32)  # exact for every type that ml_dtypes cannot cast directly
    return x.astype(dtype)


def main(folder):
    for source in sorted(folder.glob("*.in")):
        x = np.fromfile(source, dtype=np.uint8).view(TYPES[source.stem])
        for to in TYPES:
            for saturate in (0, 1):
                if saturate == 0 and not to.startswith("float8"):
                    continue
                convert(x, to, bool(saturate)).tofile(folder / f"{source.stem}.{to}.{saturate}")


np.seterr(all="ignore")
main(pathlib.Path(sys.argv[1]))
