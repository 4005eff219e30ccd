// Loops.
#include <algorithm>

#include "api/nv_network.h"
#include "api/nv_scope.h"

namespace kiln::api {
namespace {

EdgeType scalar_type(DType dtype) {
  EdgeType type;
  type.tensor.dtype = dtype;
  return type;
}

template <class Interface, nvinfer1::LayerType kType, class Owner>
class LoopBoundary : public BoundaryLayer<Interface, kType, Owner> {
 public:
  using BoundaryLayer<Interface, kType, Owner>::BoundaryLayer;
  nvinfer1::ILoop* getLoop() const noexcept override { return &this->owner_; }
};

class LoopImpl;
using LayerType = nvinfer1::LayerType;

class Recurrence final : public LoopBoundary<nvinfer1::IRecurrenceLayer, LayerType::kRECURRENCE, LoopImpl> {
 public:
  using LoopBoundary::LoopBoundary;
  // For questions: as in the first iteration.
  std::vector<ir::Value*> lower(Lower& l) const override { return {l.in(0)}; }
};

class TripLimit final : public LoopBoundary<nvinfer1::ITripLimitLayer, LayerType::kTRIP_LIMIT, LoopImpl> {
 public:
  TripLimit(LoopImpl& loop, nvinfer1::TripLimit kind) : LoopBoundary(loop, Boundary::kLimit), kind_(kind) {}
  nvinfer1::TripLimit getTripLimit() const noexcept override { return kind_; }
  bool shapes_by(size_t) const override { return kind_ == nvinfer1::TripLimit::kCOUNT; }
  std::vector<ir::Value*> lower(Lower&) const override { return {}; }

 private:
  nvinfer1::TripLimit kind_;
};

class Iterator final : public LoopBoundary<nvinfer1::IIteratorLayer, LayerType::kITERATOR, LoopImpl> {
 public:
  using LoopBoundary::LoopBoundary;
  void setAxis(int32_t value) noexcept override { set(axis, value); }
  int32_t getAxis() const noexcept override { return axis; }
  void setReverse(bool value) noexcept override { set(reverse, value); }
  bool getReverse() const noexcept override { return reverse; }
  ir::Value* slice(Lower& l, ir::Value* data, ir::Value* iteration) const {
    if (reverse) {
      ir::Value* one = l.graph.add_constant(Tensor::scalar<int64_t>(1));
      iteration = l.node("Sub", {l.node("Sub", {l.extent(data, axis), one}), iteration});
    }
    return l.node("Gather", {data, iteration}, {{"axis", int64_t{axis}}});
  }
  std::vector<ir::Value*> lower(Lower& l) const override {
    return {slice(l, l.in(0), l.graph.add_constant(Tensor::scalar<int64_t>(0)))};
  }

  int32_t axis = 0;
  bool reverse = false;
};

class LoopResult final : public LoopBoundary<nvinfer1::ILoopOutputLayer, LayerType::kLOOP_OUTPUT, LoopImpl> {
 public:
  LoopResult(LoopImpl& loop, nvinfer1::LoopOutput kind) : LoopBoundary(loop, Boundary::kOutput), kind_(kind) {}
  nvinfer1::LoopOutput getLoopOutput() const noexcept override { return kind_; }
  void setAxis(int32_t value) noexcept override { set(axis, value); }
  int32_t getAxis() const noexcept override { return axis; }
  std::vector<ir::Value*> lower(Lower&) const override { return {}; }
  ir::Value* finish(Lower& l, ir::Value* stacked, ir::Value* length) const;

  int32_t axis = 0;

 private:
  nvinfer1::LoopOutput kind_;
};

// The result from what all iterations gave, stacked along axis 0; of this length (an int64 scalar) unless that is null.
ir::Value* LoopResult::finish(Lower& l, ir::Value* stacked, ir::Value* length) const {
  const int64_t rank = stacked->rank();
  if (kind_ == nvinfer1::LoopOutput::kREVERSE)
    stacked = l.node("Slice", {stacked, l.ints({-1}), l.ints({INT64_MIN}), l.ints({0}), l.ints({-1})});
  if (length) {
    ir::Value* missing = l.reshaped(l.node("Sub", {length, l.extent(stacked, 0)}), {1});
    const Ints zeros(static_cast<size_t>(rank), 0), rest(static_cast<size_t>(rank) - 1, 0);
    stacked =
        l.node("Pad", {stacked, l.node("Concat", {l.ints(zeros), missing, l.ints(rest)}, {{"axis", int64_t{0}}})});
    ir::Value* dims = l.node("Concat", {l.reshaped(length, {1}), l.ints(rest)}, {{"axis", int64_t{0}}});
    stacked = l.node("Reshape", {stacked, dims});
  }
  const int64_t to = normalize_axis(axis, rank);
  Ints order;
  for (int64_t i = 1; i < rank; ++i) order.push_back(i);
  order.insert(order.begin() + to, 0);
  return to == 0 ? stacked : l.node("Transpose", {stacked}, {{"perm", order}});
}

class LoopImpl final : public nvinfer1::ILoop, public Construct {
 public:
  explicit LoopImpl(NetworkImpl& network) : network_(network) {}
  nvinfer1::IRecurrenceLayer* addRecurrence(nvinfer1::ITensor& initial) noexcept override {
    return add(recurrences_, "Recurrence", initial, 1,
               [&] { return std::make_unique<Recurrence>(*this, Boundary::kInner); });
  }
  nvinfer1::ITripLimitLayer* addTripLimit(nvinfer1::ITensor& tensor, nvinfer1::TripLimit limit) noexcept override {
    return add(limits_, "Trip Limit", tensor, 0, [&] {
      if (limit_of(known(limit))) throw Error(Code::kInvalidState, "the loop has a trip limit of this kind already");
      return std::make_unique<TripLimit>(*this, limit);
    });
  }
  nvinfer1::IIteratorLayer* addIterator(nvinfer1::ITensor& tensor, int32_t axis, bool reverse) noexcept override {
    return add(iterators_, "Iterator", tensor, 1, [&] {
      auto layer = std::make_unique<Iterator>(*this, Boundary::kInner);
      layer->axis = axis, layer->reverse = reverse;
      return layer;
    });
  }
  nvinfer1::ILoopOutputLayer* addLoopOutput(nvinfer1::ITensor& tensor, nvinfer1::LoopOutput kind,
                                            int32_t axis) noexcept override {
    return add(results_, "Loop Output", tensor, 1, [&] {
      auto layer = std::make_unique<LoopResult>(*this, known(kind));
      layer->axis = axis;
      return layer;
    });
  }
  void setName(char const* name) noexcept override { name_ = name ? name : ""; }
  char const* getName() const noexcept override { return name_.c_str(); }

  std::vector<const TensorImpl*> mentioned() const override;
  void lower(Scope& scope) override;

 private:
  template <class L, class F>
  L* add(std::vector<L*>& list, const char* kind, nvinfer1::ITensor& input, int outputs, F&& make) noexcept {
    network_.changed();
    L* layer = network_.add(kind, {&input}, make, outputs);
    return layer && guarded(network_.reporter(), false, [&] { return list.push_back(layer), true; }) ? layer : nullptr;
  }
  const TripLimit* limit_of(nvinfer1::TripLimit kind) const {
    for (const TripLimit* limit : limits_)
      if (limit->getTripLimit() == kind) return limit;
    return nullptr;
  }
  ir::Value* first_condition(Scope& scope);
  ir::Value* next_condition(Scope& scope, Body& body, const std::vector<ir::Value*>& next);
  std::vector<ir::Value*> lower_body(Scope& scope, Body& body, const std::vector<ir::Value*>& initial);
  void give_results(Scope& scope, const ir::Node& node, ir::Value* count);

  NetworkImpl& network_;
  std::string name_ = "loop";
  std::vector<Recurrence*> recurrences_;
  std::vector<TripLimit*> limits_;
  std::vector<Iterator*> iterators_;
  std::vector<LoopResult*> results_;
};

std::vector<const TensorImpl*> LoopImpl::mentioned() const {
  std::vector<const TensorImpl*> all;
  auto take = [&](const auto& layers) {
    for (const auto* layer : layers) all.insert(all.end(), layer->inputs.begin(), layer->inputs.end());
  };
  take(recurrences_), take(limits_), take(iterators_), take(results_);
  return all;
}

// The condition of the first iteration: with the initial values, in the graph around the loop.
ir::Value* LoopImpl::first_condition(Scope& scope) {
  const TripLimit* limit = limit_of(nvinfer1::TripLimit::kWHILE);
  if (!limit) return nullptr;
  Scope first(scope, *this, nullptr);
  for (const Recurrence* r : recurrences_) first.define(*r->outputs[0], scope.value(*r->inputs[0]));
  return Lower(scope.graph(), limit->name).scalar(first.value(*limit->inputs[0]));
}

// The condition of the next iteration, inside the body.
ir::Value* LoopImpl::next_condition(Scope& scope, Body& body, const std::vector<ir::Value*>& next) {
  const TripLimit* limit = limit_of(nvinfer1::TripLimit::kWHILE);
  if (!limit) return body.graph->inputs()[1];
  Scope after(scope, *this, &body);
  for (size_t i = 0; i < recurrences_.size(); ++i) after.define(*recurrences_[i]->outputs[0], next[i]);
  ir::Value* condition = Lower(*body.graph, limit->name).scalar(after.value(*limit->inputs[0]));
  if (condition->dtype() != DType::kBool)
    throw Error(Code::kTypeMismatch, "the condition of a while loop is " + condition->type().str());
  return condition;
}

// Results of an iteration: condition, next values, values to stack.
std::vector<ir::Value*> LoopImpl::lower_body(Scope& scope, Body& body, const std::vector<ir::Value*>& initial) {
  ir::Value* iteration = body.graph->add_input(name_ + ".iteration", scalar_type(DType::kI64));
  body.graph->add_input(name_ + ".condition", scalar_type(DType::kBool));
  Scope inside(scope, *this, &body);
  for (size_t i = 0; i < recurrences_.size(); ++i) {
    const TensorImpl& state = *recurrences_[i]->outputs[0];
    inside.define(state, body.graph->add_input(state.name(), initial[i]->type()));
  }
  for (const Iterator* iterator : iterators_) {
    Lower l(*body.graph, iterator->name);
    inside.define(*iterator->outputs[0], iterator->slice(l, inside.outer_value(*iterator->inputs[0]), iteration));
  }
  std::vector<ir::Value*> next, results;
  for (size_t i = 0; i < recurrences_.size(); ++i) {
    const Recurrence& r = *recurrences_[i];
    if (r.inputs.size() < 2 || !r.inputs[1])
      throw Error(Code::kInvalidGraph, "the recurrence '" + r.name + "' has no value for the next iteration")
          .remedy("give it with setInput(1, tensor)");
    next.push_back(inside.value(*r.inputs[1]));
    if (next.back()->dtype() != initial[i]->dtype())
      throw Error(Code::kTypeMismatch, "the recurrence '" + r.name + "' begins as " + initial[i]->type().str() +
                                           " and goes on as " + next.back()->type().str());
  }
  results.push_back(next_condition(scope, body, next));
  results.insert(results.end(), next.begin(), next.end());
  for (const LoopResult* r : results_)
    if (r->getLoopOutput() != nvinfer1::LoopOutput::kLAST_VALUE) results.push_back(inside.value(*r->inputs[0]));
  return results;
}

void LoopImpl::lower(Scope& scope) {
  if (limits_.empty())
    throw Error(Code::kInvalidGraph, "the loop '" + name_ + "' never ends").remedy("give it a limit with addTripLimit");
  const TripLimit* counted = limit_of(nvinfer1::TripLimit::kCOUNT);
  ir::Value* count = nullptr;
  if (counted) {
    Lower l(scope.graph(), counted->name);
    count = l.as_int64(l.scalar(scope.value(*counted->inputs[0])));
  }
  std::vector<ir::Value*> initial;
  for (const Recurrence* r : recurrences_) initial.push_back(scope.value(*r->inputs[0]));
  std::vector<ir::Value*> inputs{count, first_condition(scope)};
  inputs.insert(inputs.end(), initial.begin(), initial.end());
  Body body;
  body.graph->set_outputs(lower_body(scope, body, initial));
  inputs.insert(inputs.end(), body.captured.begin(), body.captured.end());
  const auto captures = static_cast<int64_t>(body.captured.size());
  const auto outputs = static_cast<int>(body.graph->outputs().size()) - 1;
  ir::NodeSpec spec{.op = find_op("Loop"),
                    .inputs = std::move(inputs),
                    .attributes = {{"captures", captures}},
                    .name = name_,
                    .origins = {name_},
                    .output_count = outputs,
                    .regions = {},
                    .output_names = {}};
  spec.regions.push_back(std::move(body.graph));
  give_results(scope, *scope.graph().add_node(std::move(spec)), limits_.size() == 1 ? count : nullptr);
}

// `count`: the number of iterations, null when only running tells.
void LoopImpl::give_results(Scope& scope, const ir::Node& node, ir::Value* count) {
  auto stacked = static_cast<int>(recurrences_.size());
  for (const LoopResult* r : results_) {
    const TensorImpl& output = *r->outputs[0];
    Lower l(scope.graph(), r->name);
    if (r->getLoopOutput() == nvinfer1::LoopOutput::kLAST_VALUE) {
      const auto at = std::find_if(recurrences_.begin(), recurrences_.end(),
                                   [&](const Recurrence* x) { return x->outputs[0].get() == r->inputs[0]; });
      if (at == recurrences_.end())
        throw Error(Code::kInvalidGraph, "'" + r->name + "' returns the last value of what is no recurrence")
            .remedy("give addLoopOutput the output of an IRecurrenceLayer, or use kCONCATENATE");
      scope.define(output, node.output(static_cast<int>(at - recurrences_.begin())));
      continue;
    }
    ir::Value* length = count;
    if (r->inputs.size() > 1 && r->inputs[1]) length = l.as_int64(l.scalar(scope.value(*r->inputs[1])));
    scope.define(output, r->finish(l, node.output(stacked++), length));
  }
}

}  // namespace

nvinfer1::ILoop* NetworkImpl::addLoop() noexcept {
  return guarded(reporter_, static_cast<nvinfer1::ILoop*>(nullptr),
                 [&] { return has_bodies_ = true, keep(std::make_unique<LoopImpl>(*this)); });
}

}  // namespace kiln::api
