// kiln/kiln.h: layers against the reference, profiles, tensors in files.
#include "kiln/kiln.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "api/program.h"

namespace kiln::api {
namespace {

// A file in the tests' folder of temporary files that is removed at the end.
class File {
 public:
  explicit File(const std::string& name) : path_(::testing::TempDir() + "kiln_facade_" + name) {}
  ~File() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }
  void write(const std::string& bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }

 private:
  std::string path_;
};

const char* const kModel = R"(
w = nh.from_array(np.arange(12, dtype=np.float32).reshape(3, 4) / 8 - 0.5, 'w')
nodes = [h.make_node('MatMul', ['x', 'w'], ['m'], name='mm'), h.make_node('Softmax', ['m'], ['s'], name='soft'),
         h.make_node('Tanh', ['s'], ['y'], name='act')]
g = h.make_graph(nodes, 'net', [h.make_tensor_value_info('x', T.FLOAT, ['n', 3])], [h.make_tensor_value_info('y', T.FLOAT, ['n', 4])], [w])
model = h.make_model(g, opset_imports=[h.make_opsetid('', 17)], ir_version=8)
)";

class Facade : public ::testing::Test {
 protected:
  Facade() : model_("model.onnx") {
    model_.write(onnx_model(kModel));
    options_.onnx = model_.path();
    options_.optimization_level = 0;
    options_.profiles = {{{"x", {{1, 3}, {2, 3}, {2, 3}}}}, {{"x", {{5, 3}, {6, 3}, {9, 3}}}}};
  }
  File model_;
  BuildOptions options_;
};

TEST_F(Facade, EveryLayerIsCheckedOnItsOwnInputs) {
  options_.keep_graph = true;
  const Engine engine = Engine::build(options_);
  const Values inputs{{"x", random_tensor("float32", {7, 3}, 5)}};
  std::vector<std::string> values;
  const Values outputs = engine.check_layers(
      inputs, 1, [&](const LayerInfo& layer, const std::string& value, const HostTensor& got, const HostTensor& want) {
        values.push_back(value);
        EXPECT_FALSE(layer.origins.empty());
        ASSERT_EQ(got.type, want.type);
        ASSERT_EQ(got.dims, want.dims);
        for (int64_t i = 0; i < element_count(want); ++i) EXPECT_NEAR(element(got, i), element(want, i), 1e-5);
      });
  EXPECT_EQ(values.size(), engine.layers().size());
  EXPECT_EQ(values.back(), "y");
  const Values expected = evaluate_model(options_.onnx, inputs);
  ASSERT_EQ(outputs.at("y").dims, (std::vector<int64_t>{7, 4}));
  for (int64_t i = 0; i < 28; ++i) EXPECT_NEAR(element(outputs.at("y"), i), element(expected.at("y"), i), 1e-5);
}

TEST_F(Facade, LayersNeedTheGraphAndTheInputs) {
  const auto nothing = [](const LayerInfo&, const std::string&, const HostTensor&, const HostTensor&) {};
  EXPECT_THROW(Engine::build(options_).check_layers({{"x", random_tensor("float32", {1, 3}, 5)}}, 0, nothing), Failure);
  options_.keep_graph = true;
  const Engine engine = Engine::build(options_);
  EXPECT_THROW(engine.check_layers({}, 0, nothing), Failure);
  EXPECT_THROW(engine.check_layers({{"x", random_tensor("float32", {1, 3}, 5)}}, 1, nothing), Failure);
  EXPECT_THROW(engine.check_layers({{"x", random_tensor("float32", {1, 3}, 5)}}, 2, nothing), Failure);
}

TEST_F(Facade, Profiles) {
  const Engine engine = Engine::build(options_);
  const auto io = engine.io();
  ASSERT_EQ(io[0].profiles.size(), 2u);
  EXPECT_EQ(io[0].profiles[1].max, (std::vector<int64_t>{9, 3}));
  Session session = engine.create_session();
  EXPECT_THROW(session.set_shape("x", {9, 3}), Failure);
  session.set_profile(1);
  session.set_input("x", random_tensor("float32", {9, 3}, 1));
  session.enqueue();
  EXPECT_EQ(session.output("y").dims, (std::vector<int64_t>{9, 4}));
  EXPECT_THROW(session.set_profile(2), Failure);
}

TEST(HostTensors, FilesKeepEveryType) {
  for (const char* type : {"bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16",
                           "float32", "float64", "bfloat16", "float8e4m3fn", "int4", "uint4"}) {
    for (const std::vector<int64_t>& dims : {std::vector<int64_t>{}, {3}, {2, 0}, {2, 3, 5}}) {
      const HostTensor tensor = random_tensor(type, dims, 7);
      const File pb("tensor.pb");
      save_tensor(pb.path(), tensor);
      const HostTensor back = load_tensor(pb.path());
      EXPECT_EQ(back.type, type);
      EXPECT_EQ(back.dims, dims);
      EXPECT_EQ(back.data, tensor.data) << type;
      const bool in_numpy = std::string(type).find("int4") == std::string::npos && std::strncmp(type, "b", 1) != 0 &&
                            std::string(type).find("float8") == std::string::npos;
      if (!in_numpy && std::string(type) != "bool") {
        EXPECT_THROW(npy_bytes(tensor), Failure) << type;
        continue;
      }
      const HostTensor again = parse_npy(npy_bytes(tensor), "bytes");
      EXPECT_EQ(again.dims, dims);
      EXPECT_EQ(again.data, tensor.data);
    }
  }
}

TEST(HostTensors, DamagedNpyIsRefused) {
  const std::vector<std::byte> good = npy_bytes(random_tensor("float32", {2, 3}, 1));
  const auto refused = [](std::vector<std::byte> bytes) { EXPECT_THROW(parse_npy(bytes, "bytes"), Failure); };
  for (size_t size = 0; size < good.size(); ++size) refused({good.begin(), good.begin() + static_cast<int>(size)});
  const auto edited = [&](const std::string& from, const std::string& to) {
    std::string text(reinterpret_cast<const char*>(good.data()), good.size());
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, to.size(), to);
    const auto* data = reinterpret_cast<const std::byte*>(text.data());
    return std::vector<std::byte>(data, data + text.size());
  };
  refused(edited("<f4", ">f4"));
  refused(edited("<f4", "|O8"));
  refused(edited("False", "True "));
  refused(edited("(2,3,)", "(2,9,)"));
  refused(edited("(2,3,)", "(-2,3)"));
  refused(edited("(2,3,), }   ", "(99999999999"));
  refused(edited("(2,3,), }                       ", "(4294967296,4294967296,4,), }   "));
}

}  // namespace
}  // namespace kiln::api
