// Conversion of element values between types, bit-exact with ml_dtypes, rounding and saturating as ONNX Cast defines it.
#pragma once
#include <cstdint>

#include "tensor/dtype.h"
#include "tensor/half.h"

namespace kiln {

// One value to and from the small float formats (float16 and bfloat16: half.h). Rounding is to nearest even. `saturate` matters for
// float8 alone: true clamps finite overflow (and infinities) to the largest finite value, false gives NaN or infinity, whichever
// the format has.
// For kF8*, kF4E2M1 (in the low 4 bits).
float small_float_to_float(DType type, uint8_t bits);
uint8_t small_float_from_float(DType type, float value, bool saturate = true);
// How a value between two powers of two becomes one; ONNX Cast's round_mode. Ties of kNearest go up. Negative values give NaN.
enum class E8M0Rounding : uint8_t { kUp, kDown, kNearest };
uint8_t e8m0_from_float(float value, E8M0Rounding rounding = E8M0Rounding::kUp, bool saturate = true);
// double to f16 and bf16 without double rounding.
uint16_t f16_from_double(double value);
uint16_t bf16_from_double(double value);

// Element `index` of packed storage of any numeric type or bool, as double or as a 64-bit integer. Complex: real part.
double load_double(DType type, const void* data, int64_t index);
void store_double(DType type, void* data, int64_t index, double value, bool saturate = true);
int64_t load_int(DType type, const void* data, int64_t index);  // integers and bool; uint64 keeps its bits
void store_int(DType type, void* data, int64_t index,
               int64_t value);  // wraps to the width of an integer type; bool: value != 0

void store_uint(DType type, void* data, int64_t index, uint64_t value);  // the same, for a value that may exceed int64
// Truncates. From 2^63 to 2^64 gives the bits of the uint64; outside of both ranges, and for NaN, the smallest int64.
int64_t int_from_double(double value);

// Converts `count` elements as ONNX Cast does (integer to integer wraps; float to integer truncates; anything to bool is != 0).
// Not for strings. Source and destination do not overlap.
void convert(DType from, const void* source, DType to, void* destination, int64_t count, bool saturate = true);

}  // namespace kiln
