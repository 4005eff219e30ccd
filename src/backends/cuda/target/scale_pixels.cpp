// Tactic: every pixel of an image times the image's own row of channels.
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"
#include "backends/cuda/target/window.h"
#include "target/epilogue.h"

namespace kiln::cuda::tactics {
namespace {

// Which input has the result's shape; -1: none, with one row of channels for each image as the other.
int image_input(const Problem& p) {
  for (int i : {0, 1}) {
    if (!has_shape_of_result(p, i)) continue;
    const Shape &row = p.node->input(1 - i)->shape(), &image = p.node->output()->shape();
    if (row.size() == 4 && row[0] == image[0] && row[1] == image[1] && row[2] == Dim(1) && row[3] == Dim(1)) return i;
  }
  return -1;
}

}  // namespace

const Tactic scale_pixels{
    .name = "scale_pixels",
    .version = 1,
    .ops = {"Mul"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_one_float(p); r.refused()) return r;
      if (p.outputs[0].opt.size() != 4)
        return refuse("the result has " + std::to_string(p.outputs[0].opt.size()) + " dimensions, needs 4");
      const int image = image_input(p);
      if (image < 0) return refuse("the operands are no image and one row of channels for each image");
      for (const Argument* a : {&p.input(image), &p.outputs[0]})
        if (!is_channels_last(*a))
          return refuse("an image has layout " + to_string(a->layout) + ", needs channels last");
      const Argument& x = p.input(image);
      const int64_t lanes = 16 / (bits(x.dtype) / 8);
      if (!x.is_fixed(1) || x.opt[1] % lanes != 0)
        return refuse(std::to_string(x.opt[1]) + " channels are no whole words of 16 bytes");
      return accept();
    },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          const int image = image_input(p);
          return emit_kernel("scale_pixels", {}, {image, 1 - image});
        },
};

}  // namespace kiln::cuda::tactics
