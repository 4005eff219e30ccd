// What the convolutions by boxes of pixels share: the boxes, arguments that follow from them, and tensor maps.
#pragma once
#include "backends/cuda/device/kernels/conv_call.h"

namespace kiln::cuda::kernels {

// Pixels of the result, all boxes alike.
struct PixelBox {
  int64_t w = 1, h = 1, n = 1;
  // The widest of those that cover the image with the fewest, and have at most `rows` pixels and lengths. As few as `enough` are as good
  // as fewer.
  static PixelBox covering(const ImageView& image, int64_t rows, int64_t most_w, int64_t most_h, int64_t enough);
  int64_t across(const ImageView& image) const;
  int64_t down(const ImageView& image) const;
  int64_t count(const ImageView& image) const;
};

// A convolution whose results are made of the pixel in the same place becomes one of a single row of pixels. False: it is none.
bool flatten_when_flat(ConvOperands& operands);
// For tiles of so many rows, whose terms are split over so many blocks: arguments but weights, stages and what the kernel alone has.
// Checks the size of the packed weights.
Status plan_boxes(const ConvCall& conv, const KernelCall& call, const ConvOperands& operands, const GroupTile& tile,
                  int64_t splits, const Chip& chip, PixelBox& box, ConvBoxArguments& arguments);

// The same for boxes that are given.
Status set_boxes(const ConvCall& conv, const KernelCall& call, const ConvOperands& operands, const GroupTile& tile,
                 const PixelBox& box, ConvBoxArguments& arguments);

// Tensor maps hold addresses: `map` is made anew when its tensor lies elsewhere.
class PixelMap {
 public:
  // Boxes as wide as a chunk, whose pixels lie `stride_w` and `stride_h` apart.
  void plan(const ImageView& image, int64_t channels, DType type, const PixelBox& box, int64_t stride_w,
            int64_t stride_h);
  // Boxes of so many channels of all pixels in them, as they are.
  void plan_dense(const ImageView& image, DType type, const PixelBox& box, int64_t box_channels);
  Status place(Gpu& gpu, const void* data) noexcept;
  const CUtensorMap& map() const { return map_; }

 private:
  void plan_tensor(const ImageView& image, int64_t channels, DType type);

  CUtensorMap map_ = {};
  CUtensorMapDataType type_ = CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
  CUtensorMapSwizzle swizzle_ = CU_TENSOR_MAP_SWIZZLE_128B;
  cuuint64_t dims_[4] = {}, strides_[3] = {};
  cuuint32_t box_[4] = {}, steps_[4] = {};
  const void* mapped_ = nullptr;
};

// Of a convolution whose tiles are those of `choice`, and results the boxes: what its arguments lack yet but addresses, and the launch of the
// kernel.
void plan_group_launch(Gpu& gpu, const std::string& module, const std::string& kernel, const GroupChoice& choice,
                       const ConvOperands& operands, const PixelBox& results, int64_t shared,
                       ConvWgmmaArguments& arguments, Launch& launch);

// Base of kernels that read x by boxes, or by rows, of one tensor map.
template <class Arguments> class BoxKernel : public Kernel {
 public:
  size_t workspace(const KernelCall& call) noexcept final { return conv_.workspace(call); }

  Status launch(Stream& stream, const KernelCall& call) noexcept final {
    if (launch_.grid[0] == 0) return kOkStatus;
    const void* x = nullptr;
    KILN_RETURN_IF_ERROR(conv_.source(stream, operands_, call, x));
    KILN_RETURN_IF_ERROR(source_.place(gpu_, x));
    arguments_.weights = call.inputs[1].data;
    arguments_.y = call.outputs[0].data;
    KILN_RETURN_IF_ERROR(conv_.place_epilogue(operands_, call, arguments_.epilogue));
    return gpu_.launch(stream, launch_, source_.map(), arguments_);
  }

 protected:
  BoxKernel(Gpu& gpu, const TiledParameters& p, bool programs = false)
      : gpu_(gpu), conv_(gpu, p, ConvCall::Source::kPieces, programs) {
    if (!gpu.chip().has_wgmma()) throw Error(Code::kPlanDevice, "the kernel needs compute capability 9.0");
    p.require_one_group();
  }

  Gpu& gpu_;
  ConvCall conv_;
  ConvOperands operands_;
  Arguments arguments_ = {};
  Launch launch_;
  PixelMap source_;
};

}  // namespace kiln::cuda::kernels
