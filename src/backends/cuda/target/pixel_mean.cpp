// Tactic: the mean over all pixels of images with channels last.
#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"
#include "backends/cuda/target/window.h"
#include "target/reduce_problem.h"

namespace kiln::cuda::tactics {

const Tactic pixel_mean{
    .name = "pixel_mean",
    .version = 1,
    .ops = {"GlobalAveragePool", "ReduceMean"},
    .accepts = [](const Problem& p) -> Refusal {
      if (Refusal r = needs_one_float(p); r.refused()) return r;
      if (Refusal r = accept_image(p.input(0), "x"); r.refused()) return r;
      if (!is_channels_last(p.input(0)))
        return refuse("x has layout " + to_string(p.input(0).layout) + ", needs channels last");
      if (p.op() == "GlobalAveragePool") return accept();
      Ints pixels;
      for (int64_t axis = 2; axis < rank(p.input(0)); ++axis) pixels.push_back(axis);
      auto axes = reduced_axes(p);
      if (!axes) return refuse("the axes are known only at run time");
      std::sort(axes->begin(), axes->end());
      return *axes == pixels ? accept() : refuse("other axes than those of the pixels are reduced");
    },
    .configurations = nullptr,
    .emit = [](const Problem&, const Config&) { return emit_kernel("pixel_mean", {}, {0}); },
};

}  // namespace kiln::cuda::tactics
