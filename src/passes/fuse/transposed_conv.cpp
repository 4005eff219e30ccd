// A transposed convolution by a stride is a convolution for each place of a result within the stride: each place has the taps of the
// window that reach it. Their results lie side by side as channels, and a shuffle makes pixels of them.
#include <algorithm>
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
  int64_t low = 0, high = 0;
  bool operator==(const Reach&) const = default;
};

Reach reach_of(const TransposedAxis& a, int64_t place) {
  const int64_t high = floor_div(place + a.begin, a.stride), low = ceil_div(place + a.begin - a.kernel + 1, a.stride);
  // Padding is nought at least; taps that are not there weigh nothing.
  return {std::min<int64_t>(low, 0), std::max(high, -a.longer)};
}

struct TransposedConv {
  TransposedAxis axes[2];
  int64_t group = 1;
  int64_t places() const { return axes[0].stride * axes[1].stride; }
  std::pair<Reach, Reach> reach(int64_t place) const {
    return {reach_of(axes[0], place / axes[1].stride), reach_of(axes[1], place % axes[1].stride)};
  }
  bool places_are_alike() const {
    for (int64_t place = 1; place < places(); ++place)
      if (reach(place) != reach(0)) return false;
    return true;
  }
};

// Nothing when it is none of one or two axes whose sizes follow from x.
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
    TransposedAxis& a = t.axes[2 - axes + i];
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

// Of w [channels, columns of a group, kernel...] the taps of the places from `first` on, as [columns, places, channels of a group, ...].
Tensor weights_of_places(const Tensor& w, const TransposedConv& t, int64_t first, int64_t count) {
  const auto [down, across] = t.reach(first);
  const int64_t rows = down.high - down.low + 1, wide = across.high - across.low + 1;
  const TransposedAxis &h = t.axes[0], &v = t.axes[1];
  const int64_t channels = w.dims()[0] / t.group, columns = w.dims()[1], taps = h.taps * v.taps;
  Tensor result = Tensor::allocate(w.dtype(), {t.group * columns * count, channels, rows, wide});
  int64_t to = 0;
  for (int64_t column = 0; column < t.group * columns; ++column)
    for (int64_t place = first; place < first + count; ++place)
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t r = down.low; r <= down.high; ++r)
          for (int64_t s = across.low; s <= across.high; ++s, ++to) {
            const int64_t tap_h = h.tap_of(place / v.stride, r), tap_w = v.tap_of(place % v.stride, s);
            if (tap_h < 0 || tap_w < 0) continue;
            const int64_t channel = column / columns * channels + c;
            copy_elements(w, (channel * columns + column % columns) * taps + tap_h * v.taps + tap_w, result, to, 1);
          }
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
  const auto length = (n.output()->shape()[2] + Dim(t.axes[1].crop)).constant();
  return p.add("Reshape", {y, p.constant(list_of({0, channels, length.value_or(-1)}))});
}

PatchValue cropped(Patch& p, PatchValue y, const TransposedConv& t, bool line) {
  Ints axes, ends;
  for (int64_t axis : {0, 1})
    if (const int64_t crop = t.axes[axis].crop; crop > 0) {
      axes.push_back(line ? 2 : 2 + axis);
      ends.push_back(-crop);
    }
  if (axes.empty()) return y;
  const Ints starts(axes.size(), 0);
  return p.add("Slice", {y, p.constant(list_of(starts)), p.constant(list_of(ends)), p.constant(list_of(axes))});
}
}  // namespace

const Rule transposed_conv{
    .name = "transposed_conv",
    .pattern = node("ConvTranspose").with_post_ops(),
    .rewrite = [](const Match& m) -> std::optional<Patch> {
      const Node& n = m.root();
      Value* x = n.input(0);
      const Tensor* w = n.input(1)->constant();
      const Value* bias = n.base_input_count() > 2 ? n.input(2) : nullptr;
      if (!w || w->size() == 0 || (bias && !bias->constant())) return decline("the weights are not constant");
      if (!x->ranked() || (x->rank() != 3 && x->rank() != 4)) return decline("x is no image");
      const auto t = read_transposed(n);
      if (!t) return decline("the window is wide, the strides are long, or the size of the result is given");
      const bool alike = t->places_are_alike();
      const int64_t places = t->places(), at_once = alike ? places : 1;
      if (places > (alike ? kMostPlaces : kMostParts))
        return decline("the strides have " + std::to_string(places) + " places");
      if (x->rank() == 4 && t->axes[0].stride != t->axes[1].stride) return decline("the strides are not alike");
      Patch p(m);
      const bool line = x->rank() == 3, inside = (places == 1 && !line) || acts_on_elements_alone(n);
      const PatchValue from = line ? p.add("Unsqueeze", {x, p.constant(list_of({2}))}) : PatchValue(x);
      std::vector<PatchValue> parts;
      for (int64_t place = 0; place < places; place += at_once) {
        const auto [down, across] = t->reach(place);
        std::vector<PatchValue> inputs = {from,
                                          p.constant(weights_of_places(*w, *t, place, at_once), n.input(1)->name())};
        if (bias) inputs.push_back(p.constant(repeated(*bias->constant(), at_once), bias->name()));
        const Ints pads = {-down.low, -across.low, t->axes[0].longer + down.high, t->axes[1].longer + across.high};
        parts.push_back(p.add("Conv", std::move(inputs), {{"group", t->group}, {"pads", pads}}));
        if (inside) p.take_post_ops(parts.back(), n);
      }
      PatchValue y = parts.size() == 1 ? parts[0] : p.add("Concat", parts, {{"axis", int64_t{1}}});
      if (line) y = line_of_places(p, y, n, *t, alike);
      else if (places > 1)
        y = p.add("DepthToSpace", {y},
                  {{"blocksize", t->axes[0].stride}, {"mode", std::string(alike ? "CRD" : "DCR")}});
      y = cropped(p, y, *t, line);
      if (!inside) y = with_post_ops_behind(p, n, y);
      p.replace(n.output(), y);
      return p;
    },
    .replaces = "ConvTranspose",
    .stage = 2,
};

}  // namespace kiln::passes
