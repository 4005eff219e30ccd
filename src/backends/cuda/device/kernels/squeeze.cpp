// What the kernels of squeeze-and-excite share.
#include "backends/cuda/device/kernels/squeeze.h"

#include "backends/cuda/device/kernels/packing.h"

namespace kiln::cuda::kernels {
namespace {

constexpr int64_t kFewestSliceWords = 4;  // of a pixel: shorter slices read parts of sectors

}  // namespace

Status check_squeeze_weights(std::span<const TensorView> weights, DType type, const SqueezeProducts& p,
                             int64_t channels) {
  const int bytes = element_bytes(type);
  const auto is = [](const TensorView& v, DType wanted, int64_t elements) {
    return v.dtype == wanted && is_plain(v) && v.is_dense() && v.elements() == elements;
  };
  const auto is_bias = [&](const TensorView& v, int64_t elements) {
    return !v.present() || is(v, DType::kF32, elements);
  };
  if (!is(weights[0], type, mma_weight_elements(1, p.hidden, 1, channels, bytes)) ||
      !is(weights[2], type, mma_weight_elements(1, channels, 1, p.hidden, bytes)) || !is_bias(weights[1], p.hidden) ||
      !is_bias(weights[3], channels))
    return {Code::kShapeMismatch, "the weights or biases of squeeze-and-excite have another size or type"};
  return kOkStatus;
}

void set_squeeze(const SqueezeProducts& p, int64_t images, int64_t pixels, int64_t channels, int64_t lanes,
                 SqueezeExciteArguments& a) {
  a = {};
  a.squeezed.activation = p.squeeze;
  a.excited.activation = p.excite;
  a.excited.alpha = static_cast<float>(p.alpha);
  a.excited.beta = static_cast<float>(p.beta);
  a.images = narrow(images);
  a.pixels = narrow(pixels);
  a.words = narrow(channels / lanes);
  a.hidden = narrow(p.hidden);
  a.excite_words = narrow(ceil_div(p.hidden, lanes));
}

void place_squeeze_weights(std::span<const TensorView> weights, SqueezeExciteArguments& a) {
  a.squeeze = weights[0].data;
  a.squeezed.bias = static_cast<const float*>(weights[1].data);
  a.excite = weights[2].data;
  a.excited.bias = static_cast<const float*>(weights[3].data);
}

int64_t squeeze_slices(int64_t words, int64_t most) {
  int64_t slices = 1;
  while (2 * slices <= most && words / (2 * slices) >= kFewestSliceWords) slices *= 2;
  return slices;
}

bool SqueezeRoom::take_floats(const SqueezeExciteArguments& a, int64_t threads, int64_t lanes) {
  left_ -=
      int64_t{
          squeeze_floats(narrow(threads), a.slice_words, narrow(lanes), a.hidden, a.excite_words, a.blocks).count()} *
      4;
  return left_ >= 0;
}

uint32_t SqueezeRoom::take_words(int64_t wanted) {
  if (wanted > left_ / kPiece) return 0;
  left_ -= wanted * kPiece;
  return narrow(wanted);
}

uint32_t take_squeeze_weights(SqueezeRoom& room, const Chip& chip, const SqueezeExciteArguments& a, int64_t lanes) {
  return chip.has_cp_async() ? room.take_words(a.slice_words * (a.hidden + lanes * squeeze_row_words(a.excite_words)))
                             : 0;
}

int64_t squeeze_clusters_at_once(const Chip& chip, const Launch& launch) {
  const int64_t of_multiprocessor =
      std::clamp<int64_t>(chip.shared_per_block / launch.shared, 1, squeeze_blocks(static_cast<int>(launch.threads)));
  const int64_t places = chip.multiprocessors * of_multiprocessor;
  return std::max<int64_t>(launch.cluster > 1 ? places * 15 / (16 * launch.cluster) : places, 1);
}

}  // namespace kiln::cuda::kernels
