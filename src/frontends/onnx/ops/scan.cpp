// Scan: a loop over slices. Before opset 9 axis 0 is a batch, and sequences may differ in length.
#include "base/error.h"
#include "base/index.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

EdgeType slice_type(EdgeType type, int64_t axis) {
  if (!type.tensor.ranked) return type;
  const auto rank = static_cast<int64_t>(type.tensor.shape.size());
  type.tensor.shape.erase(type.tensor.shape.begin() + normalize_axis(axis, rank));
  return type;
}

void check_scans(NodeImport& n, int64_t scans, int others) {
  if (scans < 1 || scans > n.input_count() - others) n.invalid("num_scan_inputs is " + std::to_string(scans));
}

void import_scan(NodeImport& n) {
  const int64_t scans = n.integer("num_scan_inputs");
  check_scans(n, scans, 0);
  const auto states = n.input_count() - static_cast<int>(scans);
  const Ints axes = n.ints("scan_input_axes");
  std::vector<EdgeType> formals;
  for (int i = 0; i < n.input_count(); ++i) {
    const auto k = static_cast<size_t>(i - states);
    formals.push_back(i < states ? n.in(i)->type() : slice_type(n.in(i)->type(), k < axes.size() ? axes[k] : 0));
  }
  n.emit_regions("Scan", n.inputs(), n.attributes({"body"}), {"body"}, formals);
}

// The graph that runs one sequence of the batch: the length when sequences have one, states, scan inputs, captures.
class SequenceGraph {
 public:
  SequenceGraph(NodeImport& n, NodeImport::Nested body, const std::vector<EdgeType>& types, int states, bool has_length)
      : graph_(std::make_unique<ir::Graph>()) {
    graph_->name = "sequence";
    if (has_length) {
      EdgeType length;
      length.tensor.dtype = DType::kI64;
      ir::Value* given = graph_->add_input("length", length);
      length_ = add("Unsqueeze", {given, ints({0})});
    }
    std::vector<ir::Value*> inputs;
    for (size_t i = 0; i < types.size(); ++i) inputs.push_back(graph_->add_input("in" + std::to_string(i), types[i]));
    whole_ = nth(inputs, states);
    for (size_t i = static_cast<size_t>(states); has_length && i < inputs.size(); ++i)
      inputs[i] = add("Slice", {inputs[i], ints({0}), length_, ints({0})});
    for (const ir::Value* v : body.captures)
      inputs.push_back(graph_->add_input("captured" + std::to_string(inputs.size()), v->type()));
    const auto scans = static_cast<int64_t>(types.size()) - states;
    ir::NodeSpec spec;
    spec.op = find_op("Scan");
    spec.inputs = inputs;
    spec.attributes = {{"num_scan_inputs", scans}, {"captures", static_cast<int64_t>(body.captures.size())}};
    if (n.has_attr("directions")) spec.attributes.set("scan_input_directions", n.ints("directions"));
    spec.output_count = static_cast<int>(body.graphs[0]->outputs().size());
    spec.regions = std::move(body.graphs);
    std::vector<ir::Value*> results = graph_->add_node(std::move(spec))->outputs();
    for (size_t i = static_cast<size_t>(states); has_length && i < results.size(); ++i) results[i] = padded(results[i]);
    graph_->set_outputs(std::move(results));
  }
  std::unique_ptr<ir::Graph> take() { return std::move(graph_); }

 private:
  ir::Value* add(std::string_view op, std::vector<ir::Value*> inputs, Attributes attributes = {}) {
    ir::NodeSpec spec;
    spec.op = find_op(op);
    spec.inputs = std::move(inputs);
    spec.attributes = std::move(attributes);
    return graph_->add_node(std::move(spec))->output();
  }
  ir::Value* ints(const Ints& values) {
    return graph_->add_constant(Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values));
  }
  // Steps after the end of the sequence are zero.
  ir::Value* padded(ir::Value* result) {
    ir::Value* steps = add("Shape", {whole_}, {{"start", int64_t{0}}, {"end", int64_t{1}}});
    ir::Value* pads = add("Concat", {ints({0}), add("Sub", {steps, length_})}, {{"axis", int64_t{0}}});
    return add("Pad", {result, pads, nullptr, ints({0})});
  }

  std::unique_ptr<ir::Graph> graph_;
  ir::Value *length_ = nullptr, *whole_ = nullptr;
};

// A loop over the batch around a loop over the steps.
void import_batched_scan(NodeImport& n) {
  const int64_t scans = n.integer("num_scan_inputs");
  check_scans(n, scans, 1);
  const int states = n.input_count() - 1 - static_cast<int>(scans);
  std::vector<ir::Value*> operands;
  if (n.optional(0)) operands.push_back(n.in(0));
  std::vector<EdgeType> types, formals;
  for (int i = 1; i < n.input_count(); ++i) {
    operands.push_back(n.in(i));
    types.push_back(slice_type(n.in(i)->type(), 0));
    formals.push_back(i - 1 < states ? types.back() : slice_type(types.back(), 0));
  }
  NodeImport::Nested body = n.import_regions({"body"}, formals);
  NodeImport::Nested batch;
  batch.captures = body.captures;
  batch.graphs.push_back(SequenceGraph(n, std::move(body), types, states, n.optional(0) != nullptr).take());
  const auto scanned = static_cast<int64_t>(operands.size());
  n.emit_nested("Scan", std::move(operands), {{"num_scan_inputs", scanned}}, std::move(batch));
}

}  // namespace

const OnnxOp scan{"Scan", {{8, import_batched_scan}, {9, import_scan}}};

}  // namespace kiln::onnx::ops
