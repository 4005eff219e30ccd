// The parser: initializers given by the caller, parts of a model that can be parsed, errors inside of functions.
#include "api/network.h"

using namespace nvinfer1;

namespace {

constexpr const char* kWithWeights = R"(
w = nh.from_array(np.array([[1, 2], [3, 4]], np.float32), 'w')
graph = h.make_graph([h.make_node('MatMul', ['x', 'w'], ['y'], 'product')], 'g',
  [h.make_tensor_value_info('x', T.FLOAT, [1, 2])], [h.make_tensor_value_info('y', T.FLOAT, [1, 2])], [w])
model = h.make_model(graph, opset_imports=[h.make_opsetid('', 18)], ir_version=9)
)";

constexpr const char* kPartly = R"(
f = h.make_function('own', 'Outer', ['a'], ['b'], [h.make_node('Relu', ['a'], ['c']), h.make_node('Nothing', ['c'], ['b'], 'deep')],
  [h.make_opsetid('', 18)])
nodes = [h.make_node('Relu', ['x'], ['a'], 'first'), h.make_node('Outer', ['a'], ['b'], 'call', domain='own'),
  h.make_node('Unheard', ['a'], ['c'], 'second'), h.make_node('Add', ['a', 'a'], ['d'], 'third'), h.make_node('Abs', ['d'], ['y'], 'last')]
graph = h.make_graph(nodes, 'g', [h.make_tensor_value_info('x', T.FLOAT, [2])], [h.make_tensor_value_info('y', T.FLOAT, [2])])
model = h.make_model(graph, functions=[f], opset_imports=[h.make_opsetid('', 18), h.make_opsetid('own', 1)], ir_version=9)
)";

class Parser : public Network {
 protected:
  Owned<nvonnxparser::IParser> parser{nvonnxparser::createParser(*network, logger)};
};

TEST_F(Parser, InitializersOfTheCaller) {
  const std::string model = onnx_model(kWithWeights);
  const float own[] = {10, 0, 0, 100};
  EXPECT_FALSE(parser->loadInitializer("w", own, sizeof own));  // no model yet
  EXPECT_FALSE(parser->parseModelProto());
  ASSERT_TRUE(parser->loadModelProto(model.data(), model.size()));
  ASSERT_TRUE(parser->loadInitializer("w", own, sizeof own));
  ASSERT_TRUE(parser->parseModelProto()) << logger.errors;
  EXPECT_FALSE(parser->parseModelProto());
  const auto engine = build();
  ASSERT_TRUE(engine);
  EXPECT_EQ(run(*engine, {{1, 2}}), (std::vector<float>{10, 200}));
  int64_t count = -1;
  EXPECT_EQ(parser->getUsedVCPluginLibraries(count), nullptr);
  EXPECT_EQ(count, 0);
}

TEST_F(Parser, WrongInitializersAreRefused) {
  const std::string model = onnx_model(kWithWeights);
  const float own[] = {10, 0, 0, 100};
  ASSERT_TRUE(parser->loadModelProto(model.data(), model.size()));
  ASSERT_TRUE(parser->loadInitializer("w", own, 12));
  EXPECT_FALSE(parser->parseModelProto());
  EXPECT_NE(logger.errors.find("12 bytes"), std::string::npos) << logger.errors;
  ASSERT_TRUE(parser->loadModelProto(model.data(), model.size()));
  ASSERT_TRUE(parser->loadInitializer("v", own, sizeof own));
  EXPECT_FALSE(parser->parseModelProto());
  EXPECT_NE(logger.errors.find("no initializer 'v'"), std::string::npos) << logger.errors;
  EXPECT_FALSE(parser->loadModelProto("junk", 4));
  EXPECT_EQ(network->getNbLayers(), 0);
  ASSERT_TRUE(parser->parseWithWeightDescriptors(model.data(), model.size())) << logger.errors;
}

TEST_F(Parser, PartsThatCanBeParsed) {
  const std::string model = onnx_model(kPartly);
  EXPECT_EQ(parser->getNbSubgraphs(), 0);
  EXPECT_FALSE(parser->supportsModelV2(model.data(), model.size()));
  ASSERT_EQ(parser->getNbSubgraphs(), 3);
  const std::vector<std::vector<int64_t>> expected{{0}, {1, 2}, {3, 4}};
  for (int64_t i = 0; i < 3; ++i) {
    int64_t length = 0;
    const int64_t* nodes = parser->getSubgraphNodes(i, length);
    EXPECT_EQ(std::vector<int64_t>(nodes, nodes + length), expected[static_cast<size_t>(i)]);
    EXPECT_EQ(parser->isSubgraphSupported(i), i != 1);
  }
  int64_t length = -1;
  EXPECT_EQ(parser->getSubgraphNodes(3, length), nullptr);
  EXPECT_EQ(length, 0);
  EXPECT_FALSE(parser->isSubgraphSupported(3));
  nvonnxparser::SubGraphCollection_t parts;
  EXPECT_FALSE(parser->supportsModel(model.data(), model.size(), parts));
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[1].first, (std::vector<size_t>{1, 2}));
  EXPECT_FALSE(parts[1].second);
  const std::string sound = onnx_model(kWithWeights);
  EXPECT_TRUE(parser->supportsModelV2(sound.data(), sound.size()));
  EXPECT_EQ(parser->getNbSubgraphs(), 1);
  EXPECT_TRUE(parser->isSubgraphSupported(0));
}

TEST_F(Parser, ErrorsTellNodesAndFunctions) {
  const std::string model = onnx_model(kPartly);
  EXPECT_FALSE(parser->parse(model.data(), model.size()));
  bool deep = false, second = false;
  for (int i = 0; i < parser->getNbErrors(); ++i) {
    const nvonnxparser::IParserError& e = *parser->getError(i);
    if (std::string(e.nodeOperator()) == "Nothing") {
      deep = true;
      EXPECT_EQ(e.node(), 1);
      ASSERT_EQ(e.localFunctionStackSize(), 1);
      EXPECT_STREQ(e.localFunctionStack()[0], "Outer");
    }
    if (std::string(e.nodeOperator()) == "Unheard") {
      second = true;
      EXPECT_EQ(e.node(), 2);
      EXPECT_EQ(e.localFunctionStackSize(), 0);
    }
  }
  EXPECT_TRUE(deep && second) << logger.errors;
}

}  // namespace
