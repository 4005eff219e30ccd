// Sliding windows of convolutions and poolings.
#include "ops/conv/window.h"

#include <algorithm>

#include "ops/dim_checks.h"
#include "ops/reference_math.h"

namespace kiln::ops {

Ints window_ints(const ShapeCall& c, std::string_view attribute, size_t count, int64_t fallback, int64_t low) {
  Ints values = c.ints(attribute);
  if (values.empty()) return Ints(count, fallback);
  if (values.size() != count)
    throw Error(Code::kInvalidArgument, "attribute '" + std::string(attribute) + "' has " +
                                            std::to_string(values.size()) + " values, " + std::to_string(count) +
                                            " are needed");
  if (std::any_of(values.begin(), values.end(), [&](int64_t v) { return v < low; }))
    throw Error(Code::kInvalidArgument,
                "attribute '" + std::string(attribute) + "' has a value below " + std::to_string(low));
  return values;
}

Shape spatial_dims(const Shape& dims) { return Shape(dims.begin() + 2, dims.end()); }

Shape weight_kernel(const ShapeCall& c) {
  const Ints attribute = c.ints("kernel_shape");
  const Shape kernel = spatial_dims(c.dims("w"));
  if (attribute.empty()) return kernel;
  if (attribute.size() != kernel.size())
    throw Error(Code::kShapeMismatch, "kernel_shape and the weights " + to_string(c.dims("w")) + " differ in rank");
  for (size_t i = 0; i < kernel.size(); ++i)
    require_same(kernel[i], attribute[i], "kernel_shape and the kernel of the weights");
  return to_shape(attribute);
}

Shape effective_kernel(const Shape& kernel, const Ints& dilations) {
  Shape result;
  for (size_t i = 0; i < kernel.size(); ++i) result.push_back((kernel[i] - 1) * Dim(dilations[i]) + 1);
  return result;
}

namespace {

// Size of the output, where padding is known. With ceil_mode the last window may reach beyond the padding but starts before it.
Dim output_size(const Dim& in, const Dim& begin, const Dim& end, const Dim& kernel, int64_t stride, bool ceil_mode) {
  const Dim room = in + begin + end - kernel;
  if (!ceil_mode) return floor_div(room, stride) + 1;
  return min(ceil_div(room, stride) + 1, ceil_div(in + begin, stride));
}

}  // namespace

std::string auto_pad(const ShapeCall& c) {
  const std::string word = c.text("auto_pad");
  if (word.empty()) return "NOTSET";
  if (word != "NOTSET" && word != "VALID" && word != "SAME_UPPER" && word != "SAME_LOWER")
    throw Error(Code::kInvalidArgument, "auto_pad '" + word + "' is unknown")
        .remedy("use NOTSET, SAME_UPPER, SAME_LOWER or VALID");
  return word;
}

Window window_of(const ShapeCall& c, const Shape& spatial, Shape kernel, bool ceil_mode) {
  const size_t rank = spatial.size();
  Window w{
      std::move(kernel), window_ints(c, "strides", rank, 1, 1), window_ints(c, "dilations", rank, 1, 1), {}, {}, {}};
  if (w.kernel.size() != rank)
    throw Error(Code::kShapeMismatch, "the kernel has " + std::to_string(w.kernel.size()) + " dimensions, the input " +
                                          std::to_string(rank) + " spatial ones");
  for (const Dim& k : w.kernel)
    if (k.is_constant() && k.value() < 1)
      throw Error(Code::kShapeMismatch, "the kernel " + to_string(w.kernel) + " has a dimension below 1");
  const std::string padding = auto_pad(c);
  const bool upper = padding == "SAME_UPPER", lower = padding == "SAME_LOWER";
  const Ints pads = padding == "VALID" || upper || lower ? Ints(2 * rank, 0) : window_ints(c, "pads", 2 * rank, 0, 0);
  const Shape reach = effective_kernel(w.kernel, w.dilations);
  for (size_t i = 0; i < rank; ++i) {
    if (upper || lower) {
      w.output.push_back(ceil_div(spatial[i], w.strides[i]));
      const Dim total = max((w.output[i] - 1) * Dim(w.strides[i]) + reach[i] - spatial[i], 0);
      const Dim half = floor_div(total, 2);
      w.begin.push_back(upper ? half : total - half);
      w.end.push_back(upper ? total - half : half);
    } else {
      w.begin.push_back(pads[i]);
      w.end.push_back(pads[rank + i]);
      w.output.push_back(output_size(spatial[i], w.begin[i], w.end[i], reach[i], w.strides[i], ceil_mode));
    }
  }
  return w;
}

namespace {

// Rows of one kernel element: over all positions of the leading dimensions of `small`, those whose partner lies inside `big`.
Tap tap_at(const Dims& at, const Dims& small, const Dims& big, const Ints& strides, const Ints& dilations,
           const Dims& begin) {
  Tap tap;
  const size_t last = small.size() - 1;
  const int64_t shift = at[last] * dilations[last] - begin[last], step = strides[last];
  const int64_t low = shift < 0 ? (-shift + step - 1) / step : 0;
  const int64_t high = shift >= big[last] ? 0 : std::min(small[last], (big[last] - 1 - shift) / step + 1);
  if (low >= high) return tap;
  const Dims outer(small.begin(), small.end() - 1), small_strides = row_major_strides(small),
                                                    big_strides = row_major_strides(big);
  Dims index(last, 0);
  do {
    int64_t from = low, to = shift + low * step;
    bool inside = true;
    for (size_t i = 0; i < last; ++i) {
      const int64_t place = index[i] * strides[i] + at[i] * dilations[i] - begin[i];
      inside = inside && place >= 0 && place < big[i];
      from += index[i] * small_strides[i];
      to += place * big_strides[i];
    }
    if (!inside) continue;
    if (!tap.rows.empty() && step == 1 && tap.rows.back().small + tap.rows.back().count == from &&
        tap.rows.back().big + tap.rows.back().count == to)
      tap.rows.back().count += high - low;
    else tap.rows.push_back({from, to, high - low});
  } while (advance(index, outer));
  return tap;
}

}  // namespace

Taps make_taps(const Dims& small, const Dims& big, const Dims& kernel, const Ints& strides, const Ints& dilations,
               const Dims& begin) {
  Taps result{strides.back(), {}};
  if (element_count(small) == 0 || element_count(big) == 0) return result;
  Dims at(kernel.size(), 0);
  do result.taps.push_back(tap_at(at, small, big, strides, dilations, begin));
  while (advance(at, kernel));
  return result;
}

}  // namespace kiln::ops
