// Col2Im: columns [n, c * block, positions], each a block of an image, summed into the image [n, c, image_shape...].
#include "base/index.h"
#include "base/require.h"
#include "ops/conv/window.h"
#include "ops/dim_checks.h"
#include "ops/reference_math.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape col2im_shape(ShapeCall& c) {
  require_rank(c, "input", 3);
  const auto image = c.elements("image_shape");
  const auto block = c.int_values("block_shape");
  const Shape &count = c.dims("image_shape"), &x = c.dims("input");
  if (!image && (count.size() != 1 || !count[0].is_constant())) return unranked();
  const auto rank = image ? static_cast<int64_t>(image->size()) : count[0].value();
  Shape y{x[0], c.unknown_dim(0, 1)};
  if (block) {
    int64_t size = 1;
    for (int64_t b : *block)
      if (b < 1 || __builtin_mul_overflow(size, b, &size))
        throw Error(Code::kInvalidArgument, "Col2Im has a block of " + to_string(Dims(*block)));
    if (x[1].is_constant() && x[1].value() % size != 0)
      throw Error(Code::kShapeMismatch, "Col2Im of " + x[1].str() + " rows with blocks of " + std::to_string(size));
    y[1] = floor_div(x[1], size);
  }
  for (int64_t i = 0; i < rank; ++i) y.push_back(image ? nth(*image, i) : c.unknown_dim(0, static_cast<int>(i) + 2));
  return y;
}

void col2im_reference(RefCall& c) {
  const Dims image = integers(c.input("image_shape")), block = integers(c.input("block_shape"));
  const size_t rank = image.size();
  const ShapeCall& s = c.shapes();
  const Ints strides = window_ints(s, "strides", rank, 1, 1), dilations = window_ints(s, "dilations", rank, 1, 1),
             pads = window_ints(s, "pads", 2 * rank, 0, 0);
  require(block.size() == rank, Code::kShapeMismatch, "Col2Im has an image and blocks of different ranks");
  Dims positions;
  for (size_t i = 0; i < rank; ++i)
    positions.push_back((image[i] + pads[i] + pads[rank + i] - dilations[i] * (block[i] - 1) - 1) / strides[i] + 1);
  const Dims& x_dims = c.input("input").dims();
  const int64_t taps = element_count(block), count = element_count(positions), plane = element_count(image);
  if (taps < 1 || x_dims[1] % taps != 0 || x_dims[2] != count)
    throw Error(Code::kShapeMismatch, "Col2Im of " + c.input("input").type_string())
        .cause("blocks of " + to_string(block) + " have " + std::to_string(count) + " positions in the image");
  const int64_t planes = x_dims[0] * (x_dims[1] / taps);
  const std::vector<double> x = doubles(c.input("input"));
  std::vector<double> y(static_cast<size_t>(planes * plane), 0.0);
  const Taps meet = make_taps(positions, image, block, strides, dilations,
                              Dims(pads.begin(), pads.begin() + static_cast<int64_t>(rank)));
  for (int64_t k = 0; k < planes; ++k)
    for (int64_t t = 0; t < taps; ++t)
      for (const Tap::Row& row : nth(meet.taps, t).rows)
        for (int64_t i = 0; i < row.count; ++i)
          nth(y, k * plane + row.big + i * meet.step) += nth(x, (k * taps + t) * count + row.small + i);
  Dims out{x_dims[0], x_dims[1] / taps};
  out.insert(out.end(), image.begin(), image.end());
  Tensor result = Tensor::allocate(c.input("input").dtype(), out);
  store(result, y);
  c.set_output(0, std::move(result));
}

}  // namespace

const OpDef col2im = op("Col2Im")
                         .input("input", kNumericTypes)
                         .input("image_shape", DType::kI64)
                         .input("block_shape", DType::kI64)
                         .attr("dilations", Ints{})
                         .attr("pads", Ints{})
                         .attr("strides", Ints{})
                         .output("output", same_type("input"))
                         .shape(col2im_shape)
                         .reference(col2im_reference)
                         .accuracy(Accuracy::kReduction);

}  // namespace kiln::ops
