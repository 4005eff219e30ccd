// Attention and rotary embedding.
#include "api/nv_network.h"

namespace kiln::api {
namespace {

using Kind = nvinfer1::CausalMaskKind;
using Normalised = nvinfer1::AttentionNormalizationOp;

// The layer that stands for an attention in the list of layers.
class AttentionLayer final : public Layer<nvinfer1::ILayer, nvinfer1::LayerType::kATTENTION_OUTPUT> {
 public:
  std::vector<ir::Value*> lower(Lower& l) const override;

  Normalised normalised{};
  Kind kind{};
  bool decomposable = false;

 private:
  ir::Value* mask(Lower& l) const;
};

// What takes part when query i sees the keys up to i + keys - queries: bool [queries, keys].
ir::Value* lower_right(Lower& l) {
  auto number = [&](int64_t v) { return l.graph.add_constant(Tensor::scalar<int64_t>(v)); };
  ir::Value *queries = l.extent(l.in(0), 2), *keys = l.extent(l.in(1), 2);
  ir::Value* row = l.reshaped(l.node("Range", {number(0), queries, number(1)}), {-1, 1});
  ir::Value* column = l.reshaped(l.node("Range", {number(0), keys, number(1)}), {1, -1});
  return l.node("LessOrEqual", {column, l.node("Add", {row, l.node("Sub", {keys, queries})})});
}

ir::Value* AttentionLayer::mask(Lower& l) const {
  if (!l.in(3)) return kind == Kind::kLOWER_RIGHT ? lower_right(l) : nullptr;
  if (kind != Kind::kNONE)
    throw Error(Code::kInvalidArgument, "an attention with a mask and a causal kind").remedy("leave one of them out");
  if (l.in(3)->rank() != 4)
    throw Error(Code::kShapeMismatch, "an attention with the mask " + l.in(3)->type().str())
        .remedy("give it 4 dimensions: [batch,heads,queries,keys], each of them or 1");
  return l.in(3);
}

std::vector<ir::Value*> AttentionLayer::lower(Lower& l) const {
  for (size_t i = 0; i < 3; ++i)
    if (l.in(i)->rank() != 4)
      throw Error(Code::kShapeMismatch, "an attention over " + l.in(i)->type().str())
          .remedy("give query, key and value as [batch,heads,sequence,size]");
  ir::Value* shown = mask(l);
  if (normalised == Normalised::kSOFTMAX) {
    std::vector<ir::Value*> inputs{l.in(0), l.in(1), l.in(2)};
    if (shown) inputs.push_back(shown);
    return {l.node("Attention", inputs, {{"scale", 1.0}, {"is_causal", int64_t{kind == Kind::kUPPER_LEFT}}})};
  }
  if (normalised != Normalised::kNONE || kind != Kind::kNONE || shown)
    throw Error(Code::kUnsupported, "an attention with a mask and without softmax")
        .remedy("use AttentionNormalizationOp::kSOFTMAX");
  ir::Value* product = l.node("MatMul", {l.in(0), l.node("Transpose", {l.in(1)}, {{"perm", Ints{0, 1, 3, 2}}})});
  return {l.node("MatMul", {product, l.in(2)})};
}

// The object that the user holds.
class AttentionImpl final : public nvinfer1::IAttention {
 public:
  AttentionImpl(NetworkImpl& network, AttentionLayer& layer) : network_(network), layer_(layer) {}
  bool setNormalizationOperation(Normalised op) noexcept override { return change(layer_.normalised, op); }
  Normalised getNormalizationOperation() const noexcept override { return layer_.normalised; }
  bool setMask(nvinfer1::ITensor& mask) noexcept override { return setInput(3, mask); }
  nvinfer1::ITensor* getMask() noexcept override { return layer_.getInput(3); }
  bool setCausal(bool causal) noexcept override { return setCausalKind(causal ? Kind::kUPPER_LEFT : Kind::kNONE); }
  bool getCausal() const noexcept override { return layer_.kind != Kind::kNONE; }
  bool setCausalKind(Kind kind) noexcept override { return change(layer_.kind, kind); }
  Kind getCausalKind() const noexcept override { return layer_.kind; }
  bool setDecomposable(bool decomposable) noexcept override { return change(layer_.decomposable, decomposable); }
  bool getDecomposable() const noexcept override { return layer_.decomposable; }
  bool setInput(int32_t index, nvinfer1::ITensor& input) noexcept override {
    if (index < 0 || index > 3)
      return network_.reporter().report(Code::kInvalidArgument, "an attention has the inputs 0 to 3"), false;
    layer_.setInput(index, input);
    return layer_.getInput(index) == &input;
  }
  int32_t getNbInputs() const noexcept override { return layer_.getNbInputs(); }
  nvinfer1::ITensor* getInput(int32_t index) const noexcept override { return layer_.getInput(index); }
  int32_t getNbOutputs() const noexcept override { return 1; }
  nvinfer1::ITensor* getOutput(int32_t index) const noexcept override { return layer_.getOutput(index); }
  bool setName(char const* name) noexcept override { return layer_.setName(name), true; }
  char const* getName() const noexcept override { return layer_.getName(); }
  bool setMetadata(char const* metadata) noexcept override { return layer_.setMetadata(metadata), true; }
  char const* getMetadata() const noexcept override { return layer_.getMetadata(); }

 private:
  template <class T> bool change(T& field, T value) noexcept {
    const bool done = guarded(reporter_of(layer_), false, [&] {
      if constexpr (std::is_enum_v<T>) field = known(value);
      else field = value;
      return true;
    });
    layer_changed(layer_);
    return done;
  }
  NetworkImpl& network_;
  AttentionLayer& layer_;
};

class RotaryEmbedding final : public Layer<nvinfer1::IRotaryEmbeddingLayer, nvinfer1::LayerType::kROTARY_EMBEDDING> {
 public:
  void setInterleaved(bool value) noexcept override { set(interleaved, value); }
  bool getInterleaved() const noexcept override { return interleaved; }
  bool setRotaryEmbeddingDim(int32_t value) noexcept override {
    if (value < 0)
      return reporter_of(*this).report(Code::kInvalidArgument, "the rotated part of an embedding is not negative"),
             false;
    return set(dim, value), true;
  }
  int32_t getRotaryEmbeddingDim() const noexcept override { return dim; }
  std::vector<ir::Value*> lower(Lower& l) const override {
    std::vector<ir::Value*> inputs{l.in(0), l.in(1), l.in(2)};
    if (l.in(3)) inputs.push_back(l.as_int64(l.in(3)));
    return {l.node("RotaryEmbedding", inputs,
                   {{"interleaved", int64_t{interleaved}}, {"rotary_embedding_dim", int64_t{dim}}})};
  }

  bool interleaved = false;
  int32_t dim = 0;
};

}  // namespace

using namespace nvinfer1;

IAttention* NetworkImpl::addAttention(ITensor& query, ITensor& key, ITensor& value, Normalised op,
                                      bool causal) noexcept {
  return addAttentionV2(query, key, value, op, causal ? Kind::kUPPER_LEFT : Kind::kNONE);
}
IAttention* NetworkImpl::addAttentionV2(ITensor& query, ITensor& key, ITensor& value, Normalised op,
                                        Kind kind) noexcept {
  AttentionLayer* layer = add("Attention", {&query, &key, &value}, [&] {
    auto made = std::make_unique<AttentionLayer>();
    made->normalised = known(op), made->kind = known(kind);
    return made;
  });
  return guarded(reporter_, static_cast<IAttention*>(nullptr), [&]() -> IAttention* {
    return layer ? keep(std::make_unique<AttentionImpl>(*this, *layer)) : nullptr;
  });
}
IRotaryEmbeddingLayer* NetworkImpl::addRotaryEmbedding(ITensor& input, ITensor& cosines, ITensor& sines,
                                                       bool interleaved, int32_t dim) noexcept {
  return add("Rotary Embedding", {&input, &cosines, &sines}, [&] {
    auto layer = std::make_unique<RotaryEmbedding>();
    layer->interleaved = interleaved, layer->dim = dim;
    return layer;
  });
}

}  // namespace kiln::api
