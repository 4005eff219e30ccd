// Tactics: convolutions of bytes with constant weights, channels last, and what follows them.
#include "backends/cpu/device/compute/depthwise_int8.h"
#include "backends/cpu/device/kernels/conv_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/quantize/byte_products.h"
#include "backends/cpu/target/quantize/tiles.h"
#include "backends/cpu/target/tactics.h"
#include "backends/cpu/target/window.h"
#include "base/error.h"
#include "target/epilogue.h"

namespace kiln::cpu {

Refusal read_conv_int8(const Problem& p, ByteProblem& bytes) {
  const Argument &x = p.input(0), &y = p.outputs[0];
  constexpr TypeSet kBytes{DType::kI8, DType::kU8}, kWords{DType::kI16, DType::kU16};
  constexpr TypeSet kResults = kBytes | TypeSet{DType::kI32, DType::kF32};
  constexpr size_t kVolumes = 5;
  if (const Refusal r = accept_channels_last(x, "x", bytes.form.words ? kWords : kBytes, kVolumes); r.refused())
    return r;
  if (const Refusal r = accept_channels_last(y, "y", kResults, kVolumes); r.refused()) return r;
  if (!x.is_fixed(1)) return refuse("the number of channels is not constant");
  return read_byte_problem(p, 1, 0, bytes);
}

std::vector<int32_t> conv_column_sums(const ByteProblem& bytes, int64_t columns) {
  std::vector<int32_t> sums(static_cast<size_t>(columns), 0);
  const size_t terms = bytes.weights.size() / std::max<size_t>(sums.size(), 1);
  for (size_t i = 0; i < bytes.weights.size(); ++i) sums[i / terms] += bytes.weights[i];
  return sums;
}

GroupWeights::GroupWeights(const Problem& p) : groups(p.attributes().integer("group", 1)) {
  const Dims& w = p.input(1).constant->dims();
  columns = w[0] / groups;
  channels = w[1];
  taps = element_count(Dims(w.begin() + 2, w.end()));
}

namespace tactics {
namespace {

ByteProblem accepted_conv_int8(const Problem& p) {
  ByteProblem bytes(kSumForm);
  if (const Refusal r = read_conv_int8(p, bytes); r.refused())
    throw Error(Code::kInternal, "a convolution of bytes was not accepted").cause(r.reason);
  return bytes;
}

bool is_depthwise_int8(const Problem& p) {
  const Dims& w = p.input(1).opt;
  return w[1] == 1 && p.attributes().integer("group", 1) == w[0];
}

// Weights of one channel of the result, [channels / groups, kernel].
int64_t terms_of(const Problem& p) {
  const Dims& w = p.input(1).opt;
  return element_count(Dims(w.begin() + 1, w.end()));
}

Emitted emit_conv_bytes(const Problem& p, const ByteProblem& bytes, const char* kernel, bool in_tiles, Tensor packed) {
  const Dims& w = p.input(1).constant->dims();
  const SpatialWindow window = spatial_window_of(p, {w.begin() + 2, w.end()});
  Emitted e = emit_kernel(kernel,
                          kernels::ConvInt8Parameters{
                              .image = {inner_window(window), p.attributes().integer("group", 1)},
                              .depth = {depth_of(window)},
                              .x_zero = bytes.x_zero,
                              .parts = int8_parts(bytes),
                              .tiles = stored_tiles(in_tiles),
                              .sums = stored_sums(bytes.parameters),
                          },
                          {0});
  e.inputs.push_back(add_constant(e, std::move(packed)));
  emit_sums(bytes, conv_column_sums(bytes, w[0]), shift_of_rows(p, in_tiles), e);
  return e;
}

// OIHW to rows of kernel elements, then channels, group by group.
Tensor packed_weights(const Problem& p, const ByteProblem& bytes) {
  const GroupWeights w(p);
  const int64_t terms = w.terms(), parts = int8_parts(bytes), group = packed_int8_bytes(terms * parts, w.columns);
  Tensor packed = Tensor::allocate(DType::kI8, {w.groups * group});
  if (packed.size() == 0) return packed;
  for (int64_t g = 0; g < w.groups; ++g) {
    const auto weight = [&](int64_t t, int64_t j) {
      return int8_part(bytes, t / terms, static_cast<size_t>(w.place(g, t % terms, j)));
    };
    pack_int8(terms * parts, w.columns, weight, packed.as_mutable<int8_t>().data() + g * group);
  }
  return packed;
}

Refusal accept_conv_int8(const Problem& p) {
  ByteProblem bytes(kSumForm);
  return read_conv_int8(p, bytes);
}

Emitted emit_conv_int8(const Problem& p, bool in_tiles) {
  const ByteProblem bytes = accepted_conv_int8(p);
  return emit_conv_bytes(p, bytes, "conv_int8", in_tiles, packed_weights(p, bytes));
}

Estimate estimate_conv_int8(const Problem& p, const DeviceFacts& facts, bool in_tiles) {
  return estimate_bytes(p, facts, in_tiles, columns_of_group(p));
}

}  // namespace

const Tactic depthwise_int8{
    .name = "depthwise_int8",
    .version = 4,
    .ops = {"ConvInteger"},
    .accepts = [](const Problem& p) -> Refusal {
      ByteProblem bytes(kSumForm);
      if (const Refusal r = read_conv_int8(p, bytes); r.refused()) return r;
      return is_depthwise_int8(p) ? accept() : refuse("its groups have several channels");
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const ByteProblem bytes = accepted_conv_int8(p);
          const Dims& dims = p.input(1).opt;
          const DepthwiseWeights w{int8_parts(bytes), terms_of(p) / std::max<int64_t>(dims.back(), 1), dims.back(),
                                   dims[0]};
          Tensor packed = Tensor::allocate(DType::kI8, {w.parts * w.part_bytes()});
          const auto weight = [&](int64_t part, int64_t channel, int64_t tap) {
            return int8_part(bytes, part, static_cast<size_t>(channel * terms_of(p) + tap));
          };
          if (packed.size() > 0) pack_depthwise_int8(w, weight, packed.as_mutable<int8_t>().data());
          return emit_conv_bytes(p, bytes, "depthwise_int8", false, std::move(packed));
        },
};

const Tactic conv_int8_amx{
    .name = "conv_int8_amx",
    .version = 2,
    .ops = {"ConvInteger"},
    .estimate = [](const Problem& p, const DeviceFacts& facts) { return estimate_conv_int8(p, facts, true); },
    .accepts = [](const Problem& p) { return in_tiles(accept_conv_int8(p)); },
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_conv_int8(p, true); },
};

const Tactic conv_int8{
    .name = "conv_int8",
    .version = 3,
    .ops = {"ConvInteger"},
    .estimate = [](const Problem& p, const DeviceFacts& facts) { return estimate_conv_int8(p, facts, false); },
    .accepts = accept_conv_int8,
    .configurations = nullptr,
    .emit = [](const Problem& p, const Config&) { return emit_conv_int8(p, false); },
};

}  // namespace tactics
}  // namespace kiln::cpu
