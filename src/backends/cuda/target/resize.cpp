// Tactics: Resize of up to three axes whose scales, or sizes, are known, and that of images of bytes by weights.
#include "backends/cuda/device/cu/resize.h"

#include "backends/cuda/target/checks.h"
#include "backends/cuda/target/tactics.h"
#include "backends/cuda/target/window.h"
#include "target/byte_images.h"
#include "target/region_parameters.h"

namespace kiln::cuda::tactics {
namespace {

Refusal read_gpu_resize(const Problem& p, ResizeParameters& to) {
  if (Refusal r = needs_plain(p); r.refused()) return r;
  const DType type = p.input(0).dtype;
  const bool nearest = p.attributes().text("mode", "nearest") == "nearest";
  if (nearest ? bits(type) > 64 : !is_kernel_float(type)) return refuse("elements of type " + std::string(name(type)));
  if (p.attributes().integer("antialias", 0) != 0 && !nearest) return refuse("its filter grows with the scale");
  if (p.attributes().text("coordinate_transformation_mode", "") == "tf_crop_and_resize") return refuse("it crops");
  if (rank(p.input(0)) > kMaxAxes) return refuse("there are more than eight axes");
  if (Refusal r = read_resize(p, to); r.refused()) return r;
  const size_t axes = to.resample.axes.size();
  return axes > kResizedAxes ? refuse(std::to_string(axes) + " axes change") : accept();
}

Refusal read_gpu_resize_bytes(const Problem& p, ResizeBytesParameters& to) {
  for (const Refusal& r :
       {accept_image(p.input(0), "x", kBytesOfImages), accept_image(p.outputs[0], "y", kBytesOfImages)})
    if (r.refused()) return r;
  if (const Refusal r = read_resize_bytes(p, to); r.refused()) return r;
  return to.resize.resample.rule.antialias ? refuse("its filter grows with the scale") : accept();
}

}  // namespace

const Tactic resize{
    .name = "resize",
    .version = 1,
    .ops = {"Resize"},
    .accepts =
        [](const Problem& p) {
          ResizeParameters ignored;
          return read_gpu_resize(p, ignored);
        },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          ResizeParameters to;
          (void)read_gpu_resize(p, to);
          Emitted e = emit_kernel("resize", to, {0});
          e.strided_inputs = 1;
          return e;
        },
};

const Tactic resize_bytes{
    .name = "resize_bytes",
    .version = 1,
    .ops = {"QuantizedResize"},
    .accepts =
        [](const Problem& p) {
          ResizeBytesParameters ignored;
          return read_gpu_resize_bytes(p, ignored);
        },
    .configurations = nullptr,
    .emit =
        [](const Problem& p, const Config&) {
          ResizeBytesParameters to;
          (void)read_gpu_resize_bytes(p, to);
          return emit_kernel("resize_bytes", to, {0});
        },
};

}  // namespace kiln::cuda::tactics
