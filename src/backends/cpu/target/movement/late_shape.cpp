// Tactic: operators that move elements, with parameters that only running tells.
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/resize_problem.h"

namespace kiln::cpu::tactics {
namespace {

Attributes resize_parameters(const Problem& p) {
  const Attributes& a = p.attributes();
  Ints axes = a.ints("axes", {});
  if (!a.has("axes"))
    for (int64_t i = 0; i < rank(p.input(0)); ++i) axes.push_back(i);
  return {{"mode", a.text("mode", "nearest")},
          {"nearest_mode", a.text("nearest_mode", "round_prefer_floor")},
          {"coordinates", a.text("coordinate_transformation_mode", "half_pixel")},
          {"cubic_a", a.real("cubic_coeff_a", -0.75)},
          {"antialias", a.integer("antialias", 0)},
          {"exclude_outside", a.integer("exclude_outside", 0)},
          {"outside", a.real("extrapolation_value", 0)},
          {"axes", axes}};
}

Refusal accepts(const Problem& p) {
  const std::string& op = p.op();
  if (!p.post().empty()) return refuse("it has post-operations");
  for (const Argument& a : p.inputs) {
    if (!a.present) continue;
    if (!a.ranked) return refuse("the rank of an operand is not known");
    if (!a.layout.is_plain()) return refuse("an operand has the blocked layout " + to_string(a.layout));
  }
  const Argument& x = p.input(0);
  if (bits(x.dtype) == 0 || bits(x.dtype) % 8 != 0) return refuse("elements of type " + std::string(name(x.dtype)));
  if (!p.outputs[0].layout.is_plain()) return refuse("the result has a blocked layout");
  if (op != "Resize") return accept();
  if (p.attributes().text("keep_aspect_ratio_policy", "stretch") != "stretch")
    return refuse("sizes that keep the aspect ratio");
  if (is_beyond_resize_kernels(p)) return refuse("a scale or the region is beyond what kernels compute");
  const bool moves = p.attributes().text("mode", "nearest") == "nearest" &&
                     p.attributes().text("coordinate_transformation_mode", "") != "tf_crop_and_resize";
  if (!moves && x.dtype != DType::kF32) return refuse("it computes in float32, not " + std::string(name(x.dtype)));
  for (int i : {1, 2})
    if (p.input(i).present && p.input(i).dtype != DType::kF32) return refuse("scales of another type than float32");
  return accept();
}

}  // namespace

const Tactic late_shape{
    .name = "late_shape",
    .version = 1,
    .ops = {"Reshape", "Expand", "Tile", "Slice", "Pad", "Resize"},
    .sizes_results = true,
    .accepts = accepts,
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          Attributes to = p.op() == "Resize" ? resize_parameters(p) : Attributes();
          std::string what = p.op();
          what[0] = static_cast<char>(what[0] - 'A' + 'a');
          to.set("what", what);
          if (p.op() == "Reshape") to.set("allowzero", p.attributes().integer("allowzero", 0));
          if (p.op() == "Pad") to.set("mode", p.attributes().text("mode", "constant"));
          std::vector<int> inputs = all_inputs(p);
          if (p.op() == "Resize") inputs.resize(4, Emitted::kAbsent);
          return emit_kernel("late_shape", std::move(to), std::move(inputs));
        },
};

}  // namespace kiln::cpu::tactics
