// Depthwise convolution of bytes, channels last, exact in int32.
#pragma once
#include "backends/cpu/device/compute/conv_nhwc.h"
#include "backends/cpu/device/compute/product_int8.h"

namespace kiln::cpu {

// Weights by tap, then channel: each in the lower half of a word whose upper half is zero.
inline int64_t packed_depthwise_words(int64_t taps, int64_t channels) { return taps * int8_columns(channels); }
// weights[channel * taps + tap] as int16.
void pack_depthwise_int8(int64_t taps, int64_t channels, const int16_t* weights, int32_t* packed);

// Bytes of scratch for `threads` threads.
int64_t depthwise_int8_scratch(const ConvShape& shape, int threads);
// groups = in_c = out_c. x holds signed or unsigned bytes; padding is `zero`.
void depthwise_int8(const ConvShape& shape, const uint8_t* x, bool is_signed, int32_t zero, const int32_t* packed,
                    void* out, const SumEpilogue& epilogue, int threads, uint8_t* scratch) noexcept;

}  // namespace kiln::cpu
