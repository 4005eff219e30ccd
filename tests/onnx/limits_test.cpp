// Small files that ask for much: refused quickly, in little memory.
#include <gtest/gtest.h>
#include <onnx/onnx-ml.pb.h>

#include <functional>

#include "base/error.h"
#include "frontends/onnx/import.h"

namespace kiln::onnx {
namespace {

void name_value(::onnx::ValueInfoProto& value, const std::string& name) {
  value.set_name(name);
  auto& type = *value.mutable_type()->mutable_tensor_type();
  type.set_elem_type(::onnx::TensorProto::FLOAT);
  type.mutable_shape()->add_dim()->set_dim_value(2);
}

void add_node(google::protobuf::RepeatedPtrField<::onnx::NodeProto>& nodes, const std::string& op,
              const std::string& in, const std::string& out, const std::string& domain = "") {
  auto& node = *nodes.Add();
  node.set_op_type(op);
  node.set_domain(domain);
  node.add_input(in);
  node.add_output(out);
}

// y = op(x), with room for functions.
std::shared_ptr<::onnx::ModelProto> model_of(const std::string& op, const std::string& domain = "") {
  auto model = std::make_shared<::onnx::ModelProto>();
  model->set_ir_version(10);
  for (const std::string& known : {std::string(), std::string("own")}) {
    auto& opset = *model->add_opset_import();
    opset.set_domain(known);
    opset.set_version(known.empty() ? 21 : 1);
  }
  auto& graph = *model->mutable_graph();
  graph.set_name("g");
  name_value(*graph.add_input(), "x");
  name_value(*graph.add_output(), "y");
  add_node(*graph.mutable_node(), op, "x", "y", domain);
  return model;
}

::onnx::FunctionProto& add_function(::onnx::ModelProto& model, const std::string& name, const std::string& op,
                                    const std::string& domain, int calls = 1) {
  auto& function = *model.add_functions();
  function.set_name(name);
  function.set_domain("own");
  *function.mutable_opset_import() = model.opset_import();
  function.add_input("a0");
  function.add_output("a" + std::to_string(calls));
  for (int i = 0; i < calls; ++i)
    add_node(*function.mutable_node(), op, "a" + std::to_string(i), "a" + std::to_string(i + 1), domain);
  return function;
}

ImportOptions limited(int64_t most_nodes) {
  ImportOptions options;
  options.most_nodes = most_nodes;
  return options;
}

Error refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e;
  }
  return Error(Code::kOk, "it was imported");
}

bool says(const Error& e, const std::string& text) { return std::string(e.what()).find(text) != std::string::npos; }

TEST(Limits, FunctionsThatCallEachOtherDeeply) {
  for (const int depth : {60, 6000}) {
    auto model = model_of("f0", "own");
    for (int i = 0; i < depth; ++i)
      add_function(*model, "f" + std::to_string(i), i + 1 < depth ? "f" + std::to_string(i + 1) : "Relu",
                   i + 1 < depth ? "own" : "");
    const Error e = refusal([&] { import_model(model); });
    EXPECT_EQ(e.code(), depth == 60 ? Code::kOk : Code::kUnsupported) << e.what();
    EXPECT_EQ(says(e, "functions call each other"), depth > 60) << e.what();
  }
}

TEST(Limits, FunctionsThatMultiply) {
  auto model = model_of("f0", "own");
  for (int i = 0; i < 10; ++i)
    add_function(*model, "f" + std::to_string(i), i < 9 ? "f" + std::to_string(i + 1) : "Relu", i < 9 ? "own" : "", 10);
  const Error e = refusal([&] { import_model(model); });
  EXPECT_EQ(e.code(), Code::kUnsupported);
  EXPECT_TRUE(says(e, "more than 20000 nodes")) << e.what();
  auto few = model_of("f0", "own");
  add_function(*few, "f0", "Relu", "", 10);
  EXPECT_EQ(refusal([&] { import_model(few, limited(11)); }).code(), Code::kOk);
  auto many = model_of("f0", "own");
  add_function(*many, "f0", "Relu", "", 10);
  EXPECT_EQ(refusal([&] { import_model(many, limited(10)); }).code(), Code::kUnsupported);
}

TEST(Limits, NamesDoNotGrowWithEachCall) {
  auto model = model_of("f0", "own");
  constexpr int kDepth = 40;
  for (int i = 0; i < kDepth; ++i) {
    auto& f = add_function(*model, "f" + std::to_string(i), i + 1 < kDepth ? "f" + std::to_string(i + 1) : "Relu",
                           i + 1 < kDepth ? "own" : "");
    f.mutable_node(0)->set_name(std::string(100000, 'n'));
  }
  const auto graph = import_model(model);
  for (const auto& node : graph->nodes()) EXPECT_LE(node->name().size(), ir::kLongestName);
  for (const auto& value : graph->values()) EXPECT_LE(value->name().size(), ir::kLongestName);
}

TEST(Limits, NamesOfInputsAndOutputs) {
  auto model = model_of("Relu");
  const std::string longest(ir::kLongestName, 'x');
  model->mutable_graph()->mutable_input(0)->set_name(longest);
  model->mutable_graph()->mutable_node(0)->set_input(0, longest);
  EXPECT_EQ(import_model(model)->inputs().at(0)->name(), longest);
  model = model_of("Relu");
  model->mutable_graph()->mutable_output(0)->set_name(longest + "x");
  model->mutable_graph()->mutable_node(0)->set_output(0, longest + "x");
  EXPECT_TRUE(says(refusal([&] { import_model(model); }), "4097 bytes"));
}

TEST(Limits, MillionsOfEmptyMessages) {
  std::string bytes = model_of("Relu")->SerializeAsString();
  std::string nodes;
  for (int i = 0; i < 4'000'000; ++i) nodes += std::string("\x0a\x00", 2);  // an empty node of a graph
  ::onnx::ModelProto tail;
  bytes += std::string("\x3a", 1);  // the graph again: it is merged
  for (size_t length = nodes.size(); length > 0; length >>= 7)
    bytes += static_cast<char>((length & 127) | (length >> 7 ? 128 : 0));
  bytes += nodes;
  const Error e = refusal([&] { import_bytes(std::as_bytes(std::span(bytes))); });
  EXPECT_EQ(e.code(), Code::kMalformedModel);
  EXPECT_TRUE(says(e, "too many small parts")) << e.what();
}

TEST(Limits, Ranks) {
  auto model = model_of("Relu");
  for (int i = 0; i < 100; ++i)
    model->mutable_graph()
        ->mutable_input(0)
        ->mutable_type()
        ->mutable_tensor_type()
        ->mutable_shape()
        ->add_dim()
        ->set_dim_value(1);
  EXPECT_TRUE(says(refusal([&] { import_model(model); }), "101 dimensions"));
  model = model_of("Add");
  model->mutable_graph()->mutable_node(0)->add_input("c");
  auto& constant = *model->mutable_graph()->add_initializer();
  constant.set_name("c");
  constant.set_data_type(::onnx::TensorProto::FLOAT);
  for (int i = 0; i < 65; ++i) constant.add_dims(1);
  constant.add_float_data(1);
  EXPECT_TRUE(says(refusal([&] { import_model(model); }), "65 dimensions"));
}

}  // namespace
}  // namespace kiln::onnx
