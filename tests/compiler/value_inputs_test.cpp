// Inputs that are strings, sequences and optionals, and strings among constants.
#include "compiler/engine_testing.h"

namespace kiln::testing {
namespace {

// One inference with inputs and results as the graph has them.
std::vector<Datum> run_values(Context& context, const std::vector<Datum>& inputs) {
  const plan::Program& program = context.engine().main();
  const auto check = [&](Status s) {
    if (!s.ok()) throw Error(s.code, context.error_text());
  };
  for (size_t i = 0; i < program.inputs.size(); ++i) check(context.set_input_value(program.inputs[i], inputs[i]));
  const auto stream = context.engine().device().create_stream();
  check(context.enqueue(*stream));
  check(stream->synchronize());
  std::vector<Datum> results;
  for (int32_t t : program.outputs) results.push_back(*context.slot(t));
  return results;
}

std::shared_ptr<Engine> engine_of(const ir::Graph& graph, const std::string& target,
                                  std::vector<ProfileBounds> profiles = {}) {
  pretend::register_pretend();
  return reload(compile(graph.clone(), options_of(target, 0, std::move(profiles))));
}

ir::Value* add_node(ir::Graph& graph, const char* op, std::vector<ir::Value*> inputs, Attributes attributes = {}) {
  ir::NodeSpec spec;
  spec.op = find_op(op);
  spec.inputs = std::move(inputs);
  spec.attributes = std::move(attributes);
  return graph.add_node(std::move(spec))->output();
}

EdgeType tensor_type(DType type, Shape shape) {
  EdgeType edge;
  edge.tensor = {type, std::move(shape), true};
  return edge;
}

TEST(ValueInputs, StringsOfVaryingNumberAndConstantOnes) {
  ir::Graph graph;
  ir::Value* x = graph.add_input("x", tensor_type(DType::kString, {Dim::symbol("n")}));
  ir::Value* y = add_node(graph, "StringConcat", {x, graph.add_constant(Tensor::strings({1}, {"!"}))});
  graph.set_outputs({y, add_node(graph, "Equal", {y, y})});
  for (const std::string& target : pretend::every_target()) {
    auto engine = engine_of(graph, target, {{{"x", {{0}, {2}, {3}}}}});
    auto context = engine->create_context();
    context->set_output_allocate([](std::string_view, size_t) -> void* { return nullptr; });
    const int32_t input = engine->main().inputs[0];
    const auto stream = engine->device().create_stream();
    EXPECT_EQ(context->enqueue(*stream).code, Code::kShapeNotSet);
    EXPECT_EQ(context->set_input_value(input, Tensor::strings({4}, {"a", "b", "c", "d"})).code,
              Code::kShapeOutOfProfile);
    EXPECT_EQ(context->set_input_value(input, Tensor::of<float>({1}, {1})).code, Code::kTypeMismatch);
    Datum list;
    list.kind = Datum::kSequence;
    EXPECT_EQ(context->set_input_value(input, list).code, Code::kTypeMismatch);
    EXPECT_EQ(context->set_input_value(engine->main().outputs[0], list).code, Code::kInvalidArgument);
  }
  ir::Graph strings;
  x = strings.add_input("x", tensor_type(DType::kString, {Dim::symbol("n")}));
  strings.set_outputs({add_node(strings, "StringConcat", {x, strings.add_constant(Tensor::strings({1}, {"!"}))})});
  for (const std::string& target : pretend::every_target()) {
    auto context = engine_of(strings, target, {{{"x", {{0}, {2}, {3}}}}})->create_context();
    for (const Strings& words : {Strings{"a", "b"}, Strings{}, Strings{"c"}}) {
      const auto count = static_cast<int64_t>(words.size());
      Strings want;
      for (const std::string& w : words) want.push_back(w + "!");
      EXPECT_EQ(run_values(*context, {Tensor::strings({count}, words)})[0].tensor.string_values(), want) << target;
    }
  }
}

TEST(ValueInputs, SequencesWhoseItemsDifferInSize) {
  ir::Graph graph;
  EdgeType list = tensor_type(DType::kF32, {Dim::symbol("n")});
  list.kind = Datum::kSequence;
  ir::Value* x = graph.add_input("x", list);
  graph.set_outputs(
      {add_node(graph, "ConcatFromSequence", {x}, {{"axis", int64_t{0}}}), add_node(graph, "Identity", {x})});
  for (const std::string& target : pretend::every_target()) {
    auto engine = engine_of(graph, target);
    auto context = engine->create_context();
    for (int64_t first : {1, 2}) {
      Datum value;
      value.kind = Datum::kSequence;
      value.element_dtype = DType::kF32;
      value.items = {random_f32({first}, 1), random_f32({3}, 2)};
      const std::vector<Datum> results = run_values(*context, {value});
      EXPECT_EQ(results[0].tensor.dims(), Dims{first + 3}) << target;
      ASSERT_EQ(results[1].items.size(), 2u);
      EXPECT_TRUE(results[1].items[1].tensor.identical(value.items[1].tensor));
      value.items.push_back(Tensor::of<int64_t>({1}, {1}));
      EXPECT_EQ(context->set_input_value(engine->main().inputs[0], value).code, Code::kTypeMismatch);
    }
  }
  EXPECT_THROW(engine_of(graph, "cpu", {{{"x", {{1}, {1}, {1}}}}}), Error);
}

TEST(ValueInputs, OptionalsWithAndWithoutValue) {
  ir::Graph graph;
  EdgeType maybe = tensor_type(DType::kF32, {Dim(2)});
  maybe.kind = Datum::kOptional;
  ir::Value* x = graph.add_input("x", maybe);
  graph.set_outputs({add_node(graph, "Identity", {x})});
  for (const std::string& target : pretend::every_target()) {
    auto context = engine_of(graph, target)->create_context();
    Datum value;
    value.kind = Datum::kOptional;
    value.element_dtype = DType::kF32;
    EXPECT_TRUE(run_values(*context, {value})[0].items.empty());
    value.items = {random_f32({2}, 1)};
    EXPECT_TRUE(run_values(*context, {value})[0].items.at(0).tensor.identical(value.items[0].tensor)) << target;
    value.items.push_back(random_f32({2}, 2));
    EXPECT_EQ(context->set_input_value(context->engine().main().inputs[0], value).code, Code::kTypeMismatch);
  }
}

}  // namespace
}  // namespace kiln::testing
