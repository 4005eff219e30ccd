// What the tactics of oneDNN share.
#include "backends/cpu/target/onednn/onednn.h"

#include <algorithm>

#include "backends/cpu/target/window.h"
#include "base/error.h"
#include "target/checks.h"
#include "target/step_call.h"

namespace kiln::cpu {
namespace {

// The step's kernel, and a call of it at the problem's optimum.
struct Trial {
  Trial(const Problem& p, const Emitted& e)
      : step(p, e, StepCall::Shapes::kOptimum),
        made(make_kernel(e)),
        kernel(static_cast<onednn::PreviewedKernel&>(*made)) {}
  StepCall step;
  std::unique_ptr<Kernel> made;
  onednn::PreviewedKernel& kernel;
};

}  // namespace

Refusal accept_onednn_image(const Argument& a, const char* what) {
  const std::string subject = std::string(what) + " ";
  if (a.dtype != DType::kF32) return refuse(subject + "is " + std::string(name(a.dtype)) + ", needs float32");
  if (!a.ranked || a.opt.size() < 3 || a.opt.size() > 5)
    return refuse(subject + "has " + std::to_string(a.opt.size()) + " dimensions, needs 3 to 5");
  if (!a.layout.is_row_major() && !is_channels_last(a))
    return refuse(subject + "has layout " + to_string(a.layout) + ", needs row-major or channels last");
  if (!a.is_fixed(1)) return refuse(subject + "has a varying number of channels");
  return accept();
}

onednn::Window onednn_window(const Problem& p, const Ints& kernel) {
  const Attributes& a = p.attributes();
  const size_t n = kernel.size();
  onednn::Window w{.kernel = kernel,
                   .strides = integers_of(a, "strides", n, 1),
                   .dilations = integers_of(a, "dilations", n, 1),
                   .begin = Ints(n, 0),
                   .output_padding = integers_of(a, "output_padding", n, 0)};
  const std::string padding = a.text("auto_pad", "NOTSET");
  if (padding == "SAME_UPPER") w.padding = onednn::Window::kUpper;
  else if (padding == "SAME_LOWER" || !a.ints("output_shape", {}).empty()) w.padding = onednn::Window::kLower;
  else if (padding != "VALID") std::copy_n(integers_of(a, "pads", 2 * n, 0).begin(), n, w.begin.begin());
  return w;
}

Emitted emit_onednn(std::string kernel, Attributes parameters, std::vector<int> inputs) {
  return {.device = kOnednn,
          .kernel = std::move(kernel),
          .parameters = std::move(parameters),
          .inputs = std::move(inputs),
          .constants = {}};
}

Refusal accept_onednn(const Problem& p, const Emitted& e) {
  if (element_count(p.outputs[0].opt) == 0) return refuse("the result " + to_string(p.outputs[0].opt) + " is empty");
  try {
    Trial trial(p, e);
    const onednn::Preview preview = trial.kernel.preview(trial.step.call());
    if (preview.implementation.empty()) return refuse("oneDNN has no primitive for " + p.str());
    if (preview.is_reference())
      return refuse("oneDNN has only its reference implementation (" + preview.implementation + ") for " + p.str());
    return accept();
  } catch (const Error& error) {
    return refuse(error.message());
  } catch (const std::exception& error) {
    return refuse("oneDNN: " + std::string(error.what()));
  }
}

void pack_onednn(const Problem& p, Emitted& e, const void* weights) {
  Trial trial(p, e);
  put_parameters(e.parameters, onednn::PackedWeights{trial.kernel.preview(trial.step.call()).weights});
  e.inputs[1] = add_constant(e, static_cast<onednn::PackingKernel&>(trial.kernel).pack(trial.step.call(), weights));
}

std::vector<Config> onednn_image_configurations(const Problem& p) {
  std::vector<Config> list{to_parameters(onednn::PrimitiveParameters{.copied = false})};
  const bool rows = !is_channels_last(p.input(0)) || !is_channels_last(p.outputs[0]);
  if (rows) list.push_back(to_parameters(onednn::PrimitiveParameters{.copied = true}));
  return list;
}

}  // namespace kiln::cpu
