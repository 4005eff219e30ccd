// A transposed convolution by a stride is a convolution for each place of a result within the stride: each place has the taps of the
// window that reach it. Their results lie side by side as channels, and a shuffle makes pixels of them.
#include "passes/fuse/transposed_conv.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/checked.h"
#include "passes/post_ops.h"
#include "passes/rule_lists.h"
#include "passes/value_queries.h"

namespace kiln::passes {
namespace {

constexpr int64_t kMostPlaces = 1024;  // within the strides
constexpr int64_t kMostParts = 16;     // each with a convolution of its own
constexpr int64_t kLongestStride = 64;
constexpr int64_t kMostStretched = 16;  // times the taps of a window, with those between them that weigh nothing

// One spatial axis: result o = q * stride + place is reached by x[q + reach] through the element  place + begin - stride * reach  of the
// window, which has a tap at each multiple of the dilation.
struct TransposedAxis {
  int64_t taps = 1, dilation = 1, kernel = 1, stride = 1, begin = 0;  // kernel: elements of the window
  int64_t longer = 0;                                                 // places q beyond those of x; may be below nought
  int64_t crop = 0;                                                   // results beyond those wanted
  // -1: there is none.
  int64_t tap_of(int64_t place, int64_t reach) const {
    const int64_t element = place + begin - stride * reach;
    return element < 0 || element >= kernel || element % dilation != 0 ? -1 : element / dilation;
  }
};

// The reaches of the taps of a place, from `low` to `high`.
struct Reach {
  int64_t low = 0, high = 0, step = 1;
  int64_t count() const { return (high - low) / step + 1; }
  bool operator==(const Reach&) const = default;
};

Reach reach_of(const TransposedAxis& a, int64_t place) {
  const int64_t high = floor_div(place + a.begin, a.stride), low = ceil_div(place + a.begin - a.kernel + 1, a.stride);
  if (a.stride == 1 && low <= 0 && high >= -a.longer) return {low, high, a.taps > 1 ? a.dilation : 1};
  // Padding is nought at least; taps that are not there weigh nothing.
  return {std::min<int64_t>(low, 0), std::max(high, -a.longer)};
}

using Box = std::array<Reach, 3>;

struct TransposedConv {
  std::array<TransposedAxis, 3> axes = {};  // depth, rows, columns; those that are not there have one element
  int64_t group = 1;
  int64_t places() const { return axes[0].stride * axes[1].stride * axes[2].stride; }
  // Of a place, along each axis.
  std::array<int64_t, 3> within(int64_t place) const {
    return {place / axes[2].stride / axes[1].stride, place / axes[2].stride % axes[1].stride, place % axes[2].stride};
  }
  Box reach(int64_t place) const {
    const auto at = within(place);
    return {reach_of(axes[0], at[0]), reach_of(axes[1], at[1]), reach_of(axes[2], at[2])};
  }
  bool places_are_alike() const {
    for (int64_t place = 1; place < places(); ++place)
      if (reach(place) != reach(0)) return false;
    return true;
  }
};

// Nothing when it is none of at most three axes whose sizes follow from x.
std::optional<TransposedConv> read_transposed(const Node& n) {
  const Shape &x = n.input(0)->shape(), &y = n.output()->shape();
  const size_t axes = x.size() - 2;
  const std::string padding = text(n, "auto_pad");
  const auto ints = [&](const char* name, size_t count, int64_t fallback) {
    Ints values = n.attributes.ints(name, {});
    if (values.size() != count) values.assign(count, fallback);
    return values;
  };
  const Ints strides = ints("strides", axes, 1), pads = ints("pads", 2 * axes, 0),
             dilations = ints("dilations", axes, 1);
  if ((padding != "NOTSET" && padding != "VALID" && !padding.empty()) || !n.attributes.ints("output_shape", {}).empty())
    return std::nullopt;
  TransposedConv t;
  t.group = integer(n, "group");
  double stretched = 1;
  for (size_t i = 0; i < axes; ++i) {
    TransposedAxis& a = t.axes[3 - axes + i];
    a.taps = n.input(1)->shape()[2 + i].value();
    a.dilation = dilations[i];
    stretched *=
        1 + static_cast<double>(a.taps - 1) * static_cast<double>(a.dilation - 1) / static_cast<double>(a.taps);
    if (stretched > kMostStretched) return std::nullopt;
    a.kernel = (a.taps - 1) * a.dilation + 1;
    a.stride = strides[i];
    a.begin = padding == "VALID" ? 0 : pads[i];
    const auto beyond = (y[2 + i] - x[2 + i] * Dim(a.stride)).constant();
    if (!beyond || a.stride > kLongestStride) return std::nullopt;
    a.longer = ceil_div(*beyond, a.stride);
    a.crop = a.longer * a.stride - *beyond;
  }
  return t;
}

template <class F> void for_each_reach(const Box& box, const F& f) {
  for (int64_t d = box[0].low; d <= box[0].high; d += box[0].step)
    for (int64_t r = box[1].low; r <= box[1].high; r += box[1].step)
      for (int64_t c = box[2].low; c <= box[2].high; c += box[2].step) f(std::array{d, r, c});
}

// Which tap of all reaches a place through an element of its box; -1: none.
int64_t tap_of(const TransposedConv& t, const std::array<int64_t, 3>& at, const std::array<int64_t, 3>& reach) {
  int64_t tap = 0;
  for (size_t i = 0; i < 3; ++i) {
    const int64_t along = t.axes[i].tap_of(at[i], reach[i]);
    if (along < 0) return -1;
    tap = tap * t.axes[i].taps + along;
  }
  return tap;
}

// Of w [channels, columns of a group, kernel...] the taps of the places from `first` on, as [columns, places, channels of a group, ...].
Tensor weights_of_places(const Tensor& w, const TransposedConv& t, int64_t first, int64_t count, size_t axes) {
  const Box box = t.reach(first);
  const int64_t channels = w.dims()[0] / t.group, columns = w.dims()[1], taps = w.size() / (w.dims()[0] * columns);
  Dims dims{t.group * columns * count, channels};
  for (size_t i = 3 - axes; i < 3; ++i) dims.push_back(box[i].count());
  Tensor result = Tensor::allocate(w.dtype(), dims);
  int64_t to = 0;
  for (int64_t column = 0; column < t.group * columns; ++column)
    for (int64_t place = first; place < first + count; ++place)
      for (int64_t c = 0; c < channels; ++c)
        for_each_reach(box, [&](const std::array<int64_t, 3>& reach) {
          const int64_t tap = tap_of(t, t.within(place), reach), channel = column / columns * channels + c;
          if (tap >= 0) copy_elements(w, (channel * columns + column % columns) * taps + tap, result, to, 1);
          ++to;
        });
  return result;
}

Tensor repeated(const Tensor& bias, int64_t count) {
  Tensor result = Tensor::allocate(bias.dtype(), {bias.size() * count});
  for (int64_t i = 0; i < result.size(); ++i) copy_elements(bias, i / count, result, i, 1);
  return result;
}

Tensor list_of(Ints values) { return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values); }

// Results [n, channels and places in their order, 1, q] as [n, channels, q * places].
PatchValue line_of_places(Patch& p, PatchValue y, const Node& n, const TransposedConv& t, bool places_inside) {
  const int64_t places = t.places(), channels = t.group * n.input(1)->shape()[1].value();
  if (places == 1) return p.add("Squeeze", {y, p.constant(list_of({2}))});
  const Ints apart = places_inside ? Ints{0, channels, places, 0} : Ints{0, places, channels, 0};
  y = p.add("Reshape", {y, p.constant(list_of(apart))});
  y = p.add("Transpose", {y}, {{"perm", places_inside ? Ints{0, 1, 3, 2} : Ints{0, 2, 3, 1}}});
  const auto length = (n.output()->shape()[2] + Dim(t.axes[2].crop)).constant();
  return p.add("Reshape", {y, p.constant(list_of({0, channels, length.value_or(-1)}))});
}

// Results [n, channels and places in their order, ...] of a convolution over depth as [n, channels, depth, rows, columns].
PatchValue boxes_of_places(Patch& p, PatchValue y, const Node& n, const TransposedConv& t, bool places_inside) {
  const int64_t channels = t.group * n.input(1)->shape()[1].value();
  Ints apart{0}, whole{0, channels};
  if (places_inside) apart.push_back(channels);
  for (const TransposedAxis& a : t.axes) apart.push_back(a.stride);
  if (!places_inside) apart.push_back(channels);
  for (size_t i = 0; i < 3; ++i) {
    whole.push_back(n.output()->shape()[2 + i].value() + t.axes[i].crop);
    apart.push_back(whole.back() / t.axes[i].stride);
  }
  y = p.add("Reshape", {y, p.constant(list_of(apart))});
  y = p.add("Transpose", {y}, {{"perm", places_inside ? Ints{0, 1, 5, 2, 6, 3, 7, 4} : Ints{0, 4, 5, 1, 6, 2, 7, 3}}});
  return p.add("Reshape", {y, p.constant(list_of(whole))});
}

PatchValue cropped(Patch& p, PatchValue y, const TransposedConv& t, size_t spatial) {
  Ints axes, ends;
  for (size_t i = 3 - spatial; i < 3; ++i)
    if (const int64_t crop = t.axes[i].crop; crop > 0) {
      axes.push_back(static_cast<int64_t>(2 + i + spatial - 3));
      ends.push_back(-crop);
    }
  if (axes.empty()) return y;
  const Ints starts(axes.size(), 0);
  return p.add("Slice", {y, p.constant(list_of(starts)), p.constant(list_of(ends)), p.constant(list_of(axes))});
}

// What each convolution reads, of so many spatial axes: that of a line has rows, and that over depth of a window of one element has none.
struct Source {
  PatchValue value;
  size_t axes = 2;
};

bool is_one_element(const TransposedConv& t) {
  const Box box = t.reach(0);
  return std::all_of(box.begin(), box.end(), [](const Reach& r) { return r == Reach{}; }) &&
         std::all_of(t.axes.begin(), t.axes.end(), [](const TransposedAxis& a) { return a.longer == 0; });
}

Source source_of(Patch& p, Value* x, const TransposedConv& t, bool alike) {
  if (x->rank() == 3) return {p.add("Unsqueeze", {x, p.constant(list_of({2}))}), 2};
  if (x->rank() == 4) return {x, 2};
  if (!alike || !is_one_element(t)) return {x, 3};
  const Shape& s = x->shape();
  return {p.add("Reshape", {x, p.constant(list_of({0, 0, 0, s[3].value() * s[4].value()}))}), 2};
}

bool has_known_axes(const Shape& shape) {
  return std::all_of(shape.begin() + 1, shape.end(), [](const Dim& d) { return d.is_constant(); });
}

}  // namespace

std::optional<Patch> transposed_as_convolutions(const Match& m) {
  const Value* w = m.root().input(1);
  if (!w->constant()) return decline("the weights are not constant");
  const auto constant = [w](Patch& p, Tensor taken, int64_t) { return p.constant(std::move(taken), w->name()); };
  return transposed_as_convolutions(m, {*w->constant(), constant});
}

std::optional<Patch> transposed_as_convolutions(const Match& m, const TransposedWeights& weights) {
  const Node& n = m.root();
  Value* x = n.input(0);
  const Value* bias = n.base_input_count() > 2 ? n.input(2) : nullptr;
  if (weights.all.size() == 0 || (bias && !bias->constant())) return decline("the weights are not constant");
  const auto t = read_transposed(n);
  if (!t) return decline("the window is wide, the strides are long, or the size of the result is given");
  const bool alike = t->places_are_alike();
  const int64_t places = t->places(), at_once = alike ? places : 1;
  if (places > (alike ? kMostPlaces : kMostParts))
    return decline("the strides have " + std::to_string(places) + " places");
  const bool line = x->rank() == 3, deep = x->rank() == 5;
  if (x->rank() == 4 && t->axes[1].stride != t->axes[2].stride) return decline("the strides are not alike");
  if (deep && !(has_known_axes(x->shape()) && has_known_axes(n.output()->shape())))
    return decline("sizes are known only at run time");
  Patch p(m);
  const Source from = source_of(p, x, *t, alike);
  const bool reshaped = line || (deep && from.axes == 2);
  const bool inside = (places == 1 && !reshaped) || acts_on_elements_alone(n);
  std::vector<PatchValue> parts;
  for (int64_t place = 0; place < places; place += at_once) {
    const Box box = t->reach(place);
    std::vector<PatchValue> inputs = {
        from.value, weights.value(p, weights_of_places(weights.all, *t, place, at_once, from.axes), at_once)};
    if (bias) inputs.push_back(p.constant(repeated(*bias->constant(), at_once), bias->name()));
    Ints pads, steps;
    for (size_t i = 3 - from.axes; i < 3; ++i) pads.push_back(-box[i].low), steps.push_back(box[i].step);
    for (size_t i = 3 - from.axes; i < 3; ++i) pads.push_back(t->axes[i].longer + box[i].high);
    Attributes attributes{{"group", t->group}, {"pads", pads}};
    if (steps != Ints(from.axes, 1)) attributes.set("dilations", steps);
    parts.push_back(p.add("Conv", std::move(inputs), std::move(attributes)));
    if (inside) p.take_post_ops(parts.back(), n);
  }
  PatchValue y = parts.size() == 1 ? parts[0] : p.add("Concat", parts, {{"axis", int64_t{1}}});
  if (line) y = line_of_places(p, y, n, *t, alike);
  else if (deep && (places > 1 || reshaped)) y = boxes_of_places(p, y, n, *t, alike);
  else if (places > 1)
    y = p.add("DepthToSpace", {y}, {{"blocksize", t->axes[1].stride}, {"mode", std::string(alike ? "CRD" : "DCR")}});
  y = cropped(p, y, *t, x->shape().size() - 2);
  if (!inside) y = with_post_ops_behind(p, n, y);
  p.replace(n.output(), y);
  return p;
}

const Rule transposed_conv{
    .name = "transposed_conv",
    .pattern = node("ConvTranspose").with_post_ops(),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Value* x = m.root().input(0);
      if (!x->ranked() || (x->rank() != 3 && x->rank() != 4)) return decline("x is no image");
      return transposed_as_convolutions(m);
    },
    .replaces = "ConvTranspose",
    .stage = 2,
};

}  // namespace kiln::passes
