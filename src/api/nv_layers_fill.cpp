// Tensors made from numbers alone.
#include "api/nv_network.h"
#include "base/hash.h"
#include "base/index.h"

namespace kiln::api {
namespace {

class Fill final : public Layer<nvinfer1::IFillLayer, nvinfer1::LayerType::kFILL> {
 public:
  void setDimensions(nvinfer1::Dims const& value) noexcept override { set(dims, value); }
  nvinfer1::Dims getDimensions() const noexcept override { return dims; }
  void setOperation(nvinfer1::FillOperation value) noexcept override { set(operation, value); }
  nvinfer1::FillOperation getOperation() const noexcept override { return operation; }
  void setAlpha(double value) noexcept override { set(alpha, value), integers = false; }
  double getAlpha() const noexcept override { return alpha; }
  void setBeta(double value) noexcept override { set(beta, value), integers = false; }
  double getBeta() const noexcept override { return beta; }
  void setAlphaInt64(int64_t value) noexcept override { set(alpha_int, value), integers = true; }
  int64_t getAlphaInt64() const noexcept override { return alpha_int; }
  void setBetaInt64(int64_t value) noexcept override { set(beta_int, value), integers = true; }
  int64_t getBetaInt64() const noexcept override { return beta_int; }
  bool isAlphaBetaInt64() const noexcept override { return integers; }
  void setToType(nvinfer1::DataType value) noexcept override { set(to_type, value); }
  nvinfer1::DataType getToType() const noexcept override { return to_type; }
  bool shapes_by(size_t input) const override { return input == 0; }
  std::vector<ir::Value*> lower(Lower& l) const override;

  nvinfer1::Dims dims{};
  nvinfer1::FillOperation operation{};
  double alpha = 0, beta = 1;
  int64_t alpha_int = 0, beta_int = 1;
  bool integers = false;
  nvinfer1::DataType to_type{};

 private:
  std::vector<ir::Value*> lower_random(Lower& l, DType type, ir::Value* shape) const;
  ir::Value* number(Lower& l, DType type, double real, int64_t integer) const {
    return l.graph.add_constant(
        (integers ? Tensor::scalar<int64_t>(integer) : Tensor::scalar<double>(real)).cast(type));
  }
};

// Standard numbers, stretched by beta and moved by alpha.
std::vector<ir::Value*> Fill::lower_random(Lower& l, DType type, ir::Value* shape) const {
  const bool uniform = operation == nvinfer1::FillOperation::kRANDOM_UNIFORM;
  ir::Value* low = l.in(1) ? l.cast(l.scalar(l.in(1)), type) : number(l, type, alpha, alpha_int);
  ir::Value* width = l.in(2) ? l.cast(l.scalar(l.in(2)), type) : number(l, type, beta, beta_int);
  if (uniform) width = l.node("Sub", {width, low});
  const auto key = static_cast<int64_t>(hash128(getName()).low);
  ir::Value* random = l.node(uniform ? "RandomUniformLike" : "RandomNormalLike", {l.node("ConstantOfShape", {shape})},
                             {{"dtype", std::string(kiln::name(type))}, {"key", key}});
  return {l.node("Add", {l.node("Mul", {random, width}), low})};
}

std::vector<ir::Value*> Fill::lower(Lower& l) const {
  const DType type = from_nv(to_type);
  const bool random = operation != nvinfer1::FillOperation::kLINSPACE;
  if (!is_float(type) && (random || !is_integer(type)))
    throw Error(Code::kUnsupported, "a fill with operation " + std::to_string(static_cast<int32_t>(operation)) +
                                        " and type " + std::string(kiln::name(type)))
        .remedy(random ? "use kFLOAT or kHALF, and a cast" : "use kFLOAT, kINT32 or kINT64");
  ir::Value* shape = l.in(0) ? l.as_int64(l.in(0)) : l.ints(from_nv(dims));
  if (random) return lower_random(l, type, shape);
  const auto count = shape->shape().size() == 1 ? shape->shape()[0].constant() : std::nullopt;
  if (!count || *count < 1 || (!l.in(2) && *count != 1))
    throw Error(Code::kInvalidArgument,
                "a fill of dimensions " + shape->type().str() + (l.in(2) ? "" : " with one beta"))
        .remedy("give one value of beta per dimension with setInput(2, tensor)");
  ir::Value* sum = l.in(1) ? l.cast(l.scalar(l.in(1)), type) : number(l, type, alpha, alpha_int);
  auto index = [&](int64_t v) { return l.graph.add_constant(Tensor::scalar<int64_t>(v)); };
  for (int64_t axis = 0; axis < *count; ++axis) {
    ir::Value* length = l.node("Gather", {shape, index(axis)});
    ir::Value* steps = l.cast(l.node("Range", {index(0), length, index(1)}), type);
    ir::Value* step = number(l, type, beta, beta_int);
    if (l.in(2)) step = l.cast(l.in(2)->rank() == 0 ? l.in(2) : l.node("Gather", {l.in(2), index(axis)}), type);
    Ints ones(static_cast<size_t>(*count), 1);
    nth(ones, axis) = -1;
    sum = l.node("Add", {sum, l.reshaped(l.node("Mul", {steps, step}), ones)});
  }
  return {sum};
}

}  // namespace

nvinfer1::IFillLayer* NetworkImpl::addFill(nvinfer1::Dims const& dims, nvinfer1::FillOperation op,
                                           nvinfer1::DataType type) noexcept {
  return add("Fill", {}, [&] {
    auto layer = std::make_unique<Fill>();
    layer->dims = dims, layer->operation = known(op), layer->to_type = type;
    return layer;
  });
}

}  // namespace kiln::api
