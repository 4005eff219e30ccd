// Tactics: convolutions and products of bytes by constant weights, on tensor cores and without, and what follows them.
#include "backends/cuda/device/cu/conv_int8_any.h"
#include "backends/cuda/target/byte_conv.h"
#include "backends/cuda/target/chip.h"
#include "backends/cuda/target/tactics.h"
#include "base/checked.h"
#include "base/index.h"

namespace kiln::cuda::tactics {
namespace {

Refusal accepts_conv_int8(const Problem& p) {
  if (!target_chip().has_cp_async())
    return refuse("compute capability is " + compute_text(target_chip()) + ", needs 8.0");
  ByteConv c;
  if (const Refusal r = read_byte_conv(p, c); r.refused()) return r;
  if (c.groups > 1 && c.channels % kernels::kPiece != 0)
    return refuse("a group has " + std::to_string(c.channels) + " channels, no whole words of 16 bytes");
  return accept();
}

Tensor packed_bytes(const ByteConv& c) {
  const int64_t columns = c.groups * c.columns, parts = int8_parts(c.bytes), taps = parts * c.taps();
  std::vector<int8_t> weights(static_cast<size_t>(mul_or_throw(columns * c.channels, taps, "packed weights")));
  size_t to = 0;
  for (int64_t column = 0; column < columns; ++column)
    for (int64_t tap = 0; tap < taps; ++tap)
      for (int64_t channel = 0; channel < c.channels; ++channel)
        weights[to++] =
            int8_part(c.bytes, tap / c.taps(), static_cast<size_t>(c.weight(column, tap % c.taps(), channel)));
  const kernels::WeightView view{.data = weights.data(),
                                 .bytes = 1,
                                 .groups = c.groups,
                                 .columns = c.columns,
                                 .taps = taps,
                                 .channels = c.channels,
                                 .group_stride = c.columns * taps * c.channels,
                                 .column_stride = taps * c.channels,
                                 .tap_stride = c.channels,
                                 .channel_stride = 1};
  return kernels::pack_mma_weights(view, DType::kI8);
}

Tensor packed_words(const ByteConv& c) {
  const int64_t columns = c.groups * c.columns, padded = align_up(columns, kByteRun);
  Tensor packed = Tensor::allocate(DType::kI16, {mul_or_throw(c.taps() * c.channels, padded, "packed weights")});
  int16_t* to = packed.as_mutable<int16_t>().data();
  for (int64_t tap = 0; tap < c.taps(); ++tap)
    for (int64_t channel = 0; channel < c.channels; ++channel, to += padded)
      for (int64_t column = 0; column < columns; ++column)
        to[column] = nth(c.bytes.weights, c.weight(column, tap, channel));
  return packed;
}

}  // namespace

const Tactic conv_int8{
    .name = "conv_int8",
    .version = 1,
    .ops = {"ConvInteger", "MatMulInteger"},
    .accepts = accepts_conv_int8,
    .configurations = [](const Problem& p) { return byte_configs(byte_conv(p).product, target_chip()); },
    .emit =
        [](const Problem& p, const Config& config) {
          const ByteConv c = byte_conv(p);
          return emit_byte_conv(
              c, "conv_int8", packed_bytes(c),
              kernels::ConvInt8Parameters{parameters_of(c), read_parameters<kernels::ByteChoice>(config),
                                          int8_parts(c.bytes)});
        },
};

const Tactic conv_int8_any{
    .name = "conv_int8_any",
    .version = 1,
    .ops = {"ConvInteger", "MatMulInteger"},
    .accepts =
        [](const Problem& p) {
          ByteConv c;
          return read_byte_conv(p, c);
        },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const ByteConv c = byte_conv(p);
          return emit_byte_conv(c, "conv_int8_any", packed_words(c), parameters_of(c));
        },
};

}  // namespace kiln::cuda::tactics
