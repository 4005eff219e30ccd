// Tactic: operators that move elements, with parameters that only running tells.
#include "backends/cpu/device/kernels/own_parameters.h"
#include "backends/cpu/target/checks.h"
#include "backends/cpu/target/tactics.h"
#include "target/pad_parameters.h"
#include "target/region_parameters.h"

namespace kiln::cpu::tactics {
namespace {

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

kernels::LateShapeParameters::What what_of(std::string op) {
  op[0] = static_cast<char>(op[0] - 'A' + 'a');
  return word_among<kernels::LateShapeParameters::What>(kernels::LateShapeParameters::kWhat, op);
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
          kernels::LateShapeParameters to{.what = what_of(p.op())};
          if (p.op() == "Reshape") to.allowzero = p.attributes().integer("allowzero", 0) != 0;
          if (p.op() == "Pad") to.padding = padding_of(p);
          if (p.op() == "Resize") to.resample = resample_parameters(p);
          std::vector<int> inputs = all_inputs(p);
          if (p.op() == "Resize") inputs.resize(4, Emitted::kAbsent);
          return emit_kernel("late_shape", to, std::move(inputs));
        },
};

}  // namespace kiln::cpu::tactics
