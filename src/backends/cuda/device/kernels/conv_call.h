// What the convolutions and products by tiles share: a call's operands (x, packed weights, bias, residual), checked.
#pragma once
#include "backends/cuda/device/cu/conv.h"
#include "backends/cuda/device/kernels/common.h"
#include "backends/cuda/device/kernels/conv_parameters.h"
#include "backends/cuda/device/kernels/epilogue_program.h"
#include "backends/cuda/device/kernels/image.h"
#include "backends/cuda/device/kernels/packing.h"

namespace kiln::cuda::kernels {

inline constexpr int64_t kLongestBox = 256;  // of the copy engine, along an axis

// Sizes and distances of one call. All axes of a matrix but the last are the pixels of one row.
struct ConvOperands {
  ImageView in, out;
  DType type = DType::kInvalid;  // of weights, and of results unless those are made of bytes
  bool casts = false;            // x is float32, and they are not
  int bytes = 0;                 // of an element of that type
  int64_t channels = 0;          // of one group of x, as the kernel sees them
  ConvGeometry geometry;
  EpilogueArguments epilogue;
  bool results_in_words = false;  // when addresses are aligned too
  // x is copied to the workspace first, with channels padded to whole pieces of 16 bytes.
  bool copies = false;
  Launch copy;
  PadChannelsArguments pad;
  size_t copied_bytes = 0;
};

// The arguments of the kernels by mma.sync but for addresses, and the launch but for its function; `taps`: that a column of the weights has.
// Throws Error.
void plan_mma_tiles(const ConvOperands& operands, int64_t groups, int64_t taps, const MmaTile& tile,
                    bool weights_are_constant, ConvTileArguments& arguments, Launch& launch);

class ConvCall {
 public:
  // Whether the kernel reads x from wherever it lies, also as float32 that it rounds to the type of the weights, or in whole pieces of 16
  // bytes, from a copy where there are none. Of bytes: x is of bytes, the weights of signed ones, or anywhere
  // of int16, and SumCall has what follows.
  enum class Source : uint8_t { kPieces, kAnywhere, kAnywhereOrFloat32, kBytes, kBytesAnywhere };
  // `programs`: the kernel's module has one for results with programs.
  ConvCall(Gpu& gpu, const TiledParameters& parameters, Source source = Source::kPieces, bool programs = false)
      : gpu_(gpu), parameters_(parameters), source_(source), programs_(programs) {}
  const TiledParameters& parameters() const { return parameters_; }
  // A tensor as the kernel sees it: an image, or the image of one row that the rows of a matrix are.
  std::optional<ImageView> image(const TensorView& view) const;
  // Checks all operands but the size of the packed weights. May throw Error.
  Status read(const KernelCall& call, ConvOperands& operands) const;
  // Bytes for the copy of x.
  size_t workspace(const KernelCall& call) const noexcept;
  // x as the kernel sees it, copied when it must be.
  Status source(Stream& stream, const ConvOperands& operands, const KernelCall& call, const void*& x) const noexcept;
  // With this call's addresses.
  Status place_epilogue(const ConvOperands& operands, const KernelCall& call, EpilogueArguments& e) const noexcept;
  EpilogueArguments epilogue(const ConvOperands& operands, const KernelCall& call) const noexcept;

 private:
  bool of_bytes() const { return source_ == Source::kBytes || source_ == Source::kBytesAnywhere; }
  Status read_types(const KernelCall& call, ConvOperands& o) const;
  Status read_images(const KernelCall& call, ConvOperands& o) const;
  Status read_sums(const KernelCall& call, ConvOperands& o) const;
  void plan_source(ConvOperands& o) const;
  Status read_residual(const KernelCall& call, const TensorView& residual, ConvOperands& o, int64_t& stride) const;
  void plan_copy(ConvOperands& o) const;

  Gpu& gpu_;
  TiledParameters parameters_;
  Source source_;
  bool programs_;
};

}  // namespace kiln::cuda::kernels
