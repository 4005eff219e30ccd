// A transposed convolution of dequantized images by dequantized weights becomes convolutions of them, which become products of integers.
#include "passes/fuse/transposed_conv.h"
#include "passes/pass.h"
#include "passes/quantize/quantized_values.h"
#include "passes/rule_lists.h"

namespace kiln::passes {

const Rule dequantized_transposed{
    .name = "dequantized_transposed",
    .pattern = node("ConvTranspose"),
    .rewrite_within = [](const Match& m, const PassOptions& options) -> std::optional<Patch> {
      const Node& n = m.root();
      const auto x = dequantized(n.input(0)), w = dequantized(n.input(1));
      if (!x || !w) return decline(x ? "the weights are not dequantized" : "x is not dequantized");
      if (n.output()->dtype() != DType::kF32 || n.precision == DType::kF32)
        return decline("it is to compute in float32");
      if (!kByteTypes.has(x->integers->dtype()) || !x->integers->ranked()) return decline("x is not of bytes");
      if (!convolves_bytes(x->integers->rank(), options.limits)) return decline(kOtherSpace);
      if (!one_scale(x->scale) || (x->zero_point && !uniform(x->zero_point)))
        return decline("x has no sound scale of its own");
      const Tensor* integers = w->integers->constant();
      if (!integers || !kByteTypes.has(integers->dtype())) return decline("the weights are not constant bytes");
      if (w->zero_point && uniform(w->zero_point) != 0.0) return decline("the weights have zero points");
      const auto scales = scales_along(w->scale, w->integers->shape(), 1);
      if (!scales) return decline("the weights have no sound scale per column");
      const auto columns = static_cast<int64_t>(scales->size());
      const auto value = [&](Patch& p, Tensor taken, int64_t beside) {
        const int64_t count = taken.dims()[0];
        Tensor scale = Tensor::allocate(DType::kF32, per_column(count, taken.rank() - 1));
        for (int64_t i = 0; i < count; ++i) scale.set(i, (*scales)[static_cast<size_t>(i / beside % columns)]);
        const std::string& name = w->integers->name();
        return p.add("Dequantize", {p.constant(std::move(taken), name), p.constant(std::move(scale), name + ".scale")});
      };
      return transposed_as_convolutions(m, {*integers, value});
    },
};

}  // namespace kiln::passes
