// A network ten times as large is about ten times the work, at every stage from the file to the results. Work is counted as what is
// allocated: times depend on the machine.
#include <gtest/gtest.h>
#include <onnx/onnx-ml.pb.h>

#include "compiler/engine_testing.h"
#include "frontends/onnx/import.h"
#include "ir/text.h"
#include "runtime/counting_malloc.h"

namespace kiln::testing {
namespace {

constexpr int kFew = 60, kTimes = 10;
constexpr double kMostGrowth = 1.6 * kTimes;

class Model {
 public:
  Model() {
    proto_->set_ir_version(10);
    for (const char* domain : {"", "own"}) {
      auto& opset = *proto_->add_opset_import();
      opset.set_domain(domain);
      opset.set_version(*domain ? 1 : 21);
    }
    graph().set_name("g");
    name(*graph().add_input(), "x");
  }
  ::onnx::GraphProto& graph() { return *proto_->mutable_graph(); }
  ::onnx::ModelProto& proto() { return *proto_; }
  ::onnx::NodeProto& add(const std::string& op, const std::vector<std::string>& in, const std::vector<std::string>& out,
                         const std::string& domain = "") {
    auto& node = *graph().add_node();
    node.set_op_type(op);
    node.set_domain(domain);
    node.set_name(op + std::to_string(graph().node_size()));
    for (const auto& i : in) node.add_input(i);
    for (const auto& o : out) node.add_output(o);
    return node;
  }
  void output(const std::string& value) { graph().add_output()->set_name(value); }
  std::string constant(const std::vector<int64_t>& values) {
    auto& c = *graph().add_initializer();
    c.set_name("c" + std::to_string(graph().initializer_size()));
    c.set_data_type(::onnx::TensorProto::INT64);
    c.add_dims(static_cast<int64_t>(values.size()));
    for (int64_t v : values) c.add_int64_data(v);
    return c.name();
  }
  std::string numbers(float value) {
    auto& c = *graph().add_initializer();
    c.set_name("c" + std::to_string(graph().initializer_size()));
    c.set_data_type(::onnx::TensorProto::FLOAT);
    c.add_dims(2);
    for (int i = 0; i < 2; ++i) c.add_float_data(value);
    return c.name();
  }
  std::string bytes() const { return proto_->SerializeAsString(); }

 private:
  static void name(::onnx::ValueInfoProto& value, const std::string& text) {
    value.set_name(text);
    auto& type = *value.mutable_type()->mutable_tensor_type();
    type.set_elem_type(::onnx::TensorProto::FLOAT);
    type.mutable_shape()->add_dim()->set_dim_param("n");
    type.mutable_shape()->add_dim()->set_dim_value(2);
  }
  std::shared_ptr<::onnx::ModelProto> proto_ = std::make_shared<::onnx::ModelProto>();
};

std::string v(int i) { return "v" + std::to_string(i); }

void chain(Model& m, int n) {
  for (int i = 0; i < n; ++i) m.add(i % 2 ? "Softmax" : "Tanh", {i ? v(i - 1) : "x"}, {v(i)});
  m.output(v(n - 1));
}
void chain_of_sums(Model& m, int n) {
  for (int i = 0; i < n; ++i) m.add("Add", {i ? v(i - 1) : "x", m.numbers(static_cast<float>(i))}, {v(i)});
  m.output(v(n - 1));
}
void chain_of_reshapes(Model& m, int n) {
  for (int i = 0; i < n; ++i)
    m.add("Reshape", {i ? v(i - 1) : "x", m.constant(i % 2 ? std::vector<int64_t>{-1, 2} : std::vector<int64_t>{-1})},
          {v(i)});
  m.output(v(n - 1));
}
void many_outputs(Model& m, int n) {
  for (int i = 0; i < n; ++i) m.add("Neg", {"x"}, {v(i)});
  for (int i = 0; i < n; ++i) m.output(v(i));
}
void one_value_under_many_names(Model& m, int n) {
  m.add("Exp", {"x"}, {"e"});
  for (int i = 0; i < n; ++i) m.add("Identity", {"e"}, {v(i)});
  for (int i = 0; i < n; ++i) m.output(v(i));
}
void split_and_concat(Model& m, int n) {
  std::vector<std::string> parts, turned;
  for (int i = 0; i < n; ++i) parts.push_back(v(i)), turned.push_back("t" + std::to_string(i));
  m.add("Tile", {"x", m.constant({1, n})}, {"wide"});
  auto& axis = *m.add("Split", {"wide"}, parts).add_attribute();
  axis.set_name("axis");
  axis.set_type(::onnx::AttributeProto::INT);
  axis.set_i(1);
  auto& count = *m.graph().mutable_node(1)->add_attribute();
  count.set_name("num_outputs");
  count.set_type(::onnx::AttributeProto::INT);
  count.set_i(n);
  for (int i = 0; i < n; ++i) m.add("Neg", {parts[static_cast<size_t>(i)]}, {turned[static_cast<size_t>(i)]});
  *m.add("Concat", turned, {"y"}).add_attribute() = axis;
  m.output("y");
}
void shapes(Model& m, int n) {
  m.add("Shape", {"x"}, {"s"});
  for (int i = 0; i < n; ++i) m.add("Add", {i ? v(i - 1) : "s", m.constant({1, 0})}, {v(i)});
  m.add("Expand", {m.numbers(1), v(n - 1)}, {"y"});
  m.output("y");
}
void functions(Model& m, int n) {
  for (int i = 0; i < n; ++i) {
    auto& f = *m.proto().add_functions();
    f.set_name("f" + std::to_string(i));
    f.set_domain("own");
    *f.mutable_opset_import() = m.proto().opset_import();
    f.add_input("a");
    f.add_output("b");
    auto& node = *f.add_node();
    node.set_op_type("Tanh");
    node.add_input("a");
    node.add_output("b");
    m.add(f.name(), {i ? v(i - 1) : "x"}, {v(i)}, "own");
  }
  m.output(v(n - 1));
}
void branches(Model& m, int n) {
  m.add("ReduceSum", {"x"}, {"sum"});
  m.add("Cast", {"sum"}, {"condition"});
  auto& to = *m.graph().mutable_node(1)->add_attribute();
  to.set_name("to");
  to.set_type(::onnx::AttributeProto::INT);
  to.set_i(::onnx::TensorProto::BOOL);
  m.add("Squeeze", {"condition"}, {"c"});
  for (int i = 0; i < n; ++i) {
    auto& node = m.add("If", {"c"}, {v(i)});
    for (const char* branch : {"then_branch", "else_branch"}) {
      auto& a = *node.add_attribute();
      a.set_name(branch);
      a.set_type(::onnx::AttributeProto::GRAPH);
      a.mutable_g()->set_name(branch);
      auto& inner = *a.mutable_g()->add_node();
      inner.set_op_type(*branch == 't' ? "Tanh" : "Neg");
      inner.add_input(i ? v(i - 1) : "x");
      inner.add_output(branch + std::to_string(i));
      a.mutable_g()->add_output()->set_name(inner.output(0));
    }
  }
  m.output(v(n - 1));
}

struct Work {
  int64_t allocations, bytes;
};

// What each stage takes, by name.
std::vector<std::pair<std::string, Work>> work_of(void (*make)(Model&, int), int n) {
  Model model;
  make(model, n);
  const std::string file = model.bytes();
  std::vector<std::pair<std::string, Work>> stages;
  const auto stage = [&](const char* name, const auto& action) {
    const Work before{allocation_count(), allocated_bytes()};
    action();
    stages.emplace_back(name, Work{allocation_count() - before.allocations, allocated_bytes() - before.bytes});
  };
  std::unique_ptr<ir::Graph> graph;
  stage("import", [&] { graph = onnx::import_bytes(std::as_bytes(std::span(file))); });
  std::string text;
  stage("print", [&] { text = ir::to_text(*graph); });
  stage("parse", [&] { graph = ir::parse_graph(text); });
  plan::Plan plan;
  CompileOptions options = options_of("cpu", 0, {{{"x", {{1, 2}, {3, 2}, {5, 2}}}}});
  stage("compile", [&] { plan = compile(std::move(graph), options); });
  auto bytes = std::make_shared<std::vector<std::byte>>();
  stage("write", [&] { *bytes = plan::write(plan); });
  std::shared_ptr<Engine> engine;
  stage("load", [&] { engine = Engine::load(*bytes, bytes); });
  std::unique_ptr<Context> context;
  stage("context", [&] { context = engine->create_context(); });
  stage("run", [&] { run(*context, {random_f32({3, 2}, 1)}); });
  return stages;
}

struct Kind {
  const char* name;
  void (*make)(Model&, int);
};

class Growth : public ::testing::TestWithParam<Kind> {};

TEST_P(Growth, TenTimesAsLargeIsTenTimesTheWork) {
  if (!can_count_allocations()) GTEST_SKIP() << "allocations are not counted here";
  work_of(GetParam().make, kFew);  // what is made once
  const auto few = work_of(GetParam().make, kFew), many = work_of(GetParam().make, kFew * kTimes);
  for (size_t i = 0; i < few.size(); ++i) {
    const auto& [stage, less] = few[i];
    const Work& more = many[i].second;
    EXPECT_LE(static_cast<double>(more.allocations), kMostGrowth * static_cast<double>(less.allocations)) << stage;
    EXPECT_LE(static_cast<double>(more.bytes), kMostGrowth * static_cast<double>(less.bytes)) << stage;
  }
}

constexpr Kind kKinds[] = {
    {"Chain", chain},
    {"ChainOfSums", chain_of_sums},
    {"ChainOfReshapes", chain_of_reshapes},
    {"ManyOutputs", many_outputs},
    {"OneValueUnderManyNames", one_value_under_many_names},
    {"SplitAndConcat", split_and_concat},
    {"Shapes", shapes},
    {"Functions", functions},
    {"Branches", branches},
};

INSTANTIATE_TEST_SUITE_P(Networks, Growth, ::testing::ValuesIn(kKinds),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace kiln::testing
