// STFT: frames of the signal times cosines and sines, which is a convolution whose channels are the parts of the frequencies, as long as
// the frames are known.
#include <cmath>
#include <numbers>
#include <optional>

#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

constexpr int64_t kMostWeights = int64_t{1} << 28;

std::optional<int64_t> known_integer(NodeImport& n, int input) {
  const Tensor* value = n.in(input)->constant();
  return value && value->size() == 1 ? std::optional(value->int_at(0)) : std::nullopt;
}

std::optional<int64_t> frame_length(NodeImport& n) {
  if (n.optional(3)) return known_integer(n, 3);
  if (n.optional(2) && n.in(2)->ranked() && n.rank(2) == 1) return n.in(2)->shape()[0].constant();
  return std::nullopt;
}

// [2 * bins, parts, frame]: real parts of all bins, then imaginary parts, of the parts of the signal.
Tensor waves(int64_t bins, int64_t parts, int64_t frame) {
  Tensor w = Tensor::allocate(DType::kF32, {2 * bins, parts, frame});
  for (int64_t k = 0; k < bins; ++k)
    for (int64_t t = 0; t < frame; ++t) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(k * t % frame) / static_cast<double>(frame);
      const double c = std::cos(angle), s = std::sin(angle);
      w.set((k * parts) * frame + t, c);
      w.set(((bins + k) * parts) * frame + t, -s);
      if (parts == 1) continue;
      w.set((k * parts + 1) * frame + t, s);
      w.set(((bins + k) * parts + 1) * frame + t, c);
    }
  return w;
}

void import_stft(NodeImport& n) {
  const bool ranked = n.in(0)->ranked() && n.rank(0) == 3;
  const auto known_parts = ranked ? n.in(0)->shape()[2].constant() : std::nullopt;
  const auto known_step = known_integer(n, 1), known_frame = frame_length(n);
  if (!known_parts || !known_step || !known_frame) return import_as_is(n);
  const int64_t parts = *known_parts, step = *known_step, frame = *known_frame;
  const bool half = n.integer("onesided", 1) != 0;
  if (parts < 1 || parts > 2 || step < 1 || frame < 1) n.invalid("signal, frame_step and frame_length do not fit");
  if (frame > kMostWeights) return import_as_is(n);
  const int64_t bins = half ? frame / 2 + 1 : frame;
  if (frame > kMostWeights / (2 * bins * parts)) return import_as_is(n);
  ir::Value* weights = n.constant(waves(bins, parts, frame).cast(n.dtype(0)));
  if (n.optional(2)) weights = n.add("Mul", {weights, n.in(2)});
  ir::Value* lines = n.add("Transpose", {n.in(0)}, {{"perm", Ints{0, 2, 1}}});
  ir::Value* parts_of_bins = n.add("Conv", {lines, weights}, {{"strides", Ints{step}}});
  ir::Value* split = n.add("Reshape", {parts_of_bins, n.ints(Ints{0, 2, bins, -1})});
  n.emit("Transpose", {split}, {{"perm", Ints{0, 3, 2, 1}}});
}

}  // namespace

const OnnxOp stft{"STFT", {{17, import_stft}}};

}  // namespace kiln::onnx::ops
