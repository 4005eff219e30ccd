// Files whose large initializers are read apart from their message give the graphs that the same bytes in memory give.
#include "frontends/onnx/large_elements.h"

#include <gtest/gtest.h>
#include <onnx/onnx-ml.pb.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/error.h"
#include "base/temporary_folder.h"
#include "frontends/onnx/import.h"
#include "frontends/onnx/outline.h"

namespace kiln::onnx {
namespace {

constexpr int64_t kMany = 20000;

std::string elements(int64_t bytes) {
  std::string text(static_cast<size_t>(bytes), ' ');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>((i * 31 + i / 977) % 64);
  return text;
}

::onnx::TensorProto& add_initializer(::onnx::ModelProto& model, const std::string& name, int type, int64_t count,
                                     int64_t bytes) {
  auto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(type);
  tensor.add_dims(count);
  tensor.set_raw_data(elements(bytes));
  return tensor;
}

// Each initializer is an output of the graph.
::onnx::ModelProto model_of_initializers() {
  ::onnx::ModelProto model;
  model.set_ir_version(10);
  model.add_opset_import()->set_version(21);
  model.mutable_graph()->set_name("g");
  using Onnx = ::onnx::TensorProto;
  add_initializer(model, "floats", Onnx::FLOAT, kMany, kMany * 4);
  add_initializer(model, "few", Onnx::FLOAT, 3, 12);
  add_initializer(model, "halves", Onnx::FLOAT16, 2 * kMany, kMany * 4);
  add_initializer(model, "words", Onnx::INT64, kMany, kMany * 8);
  return model;
}

std::string bytes_of(::onnx::ModelProto& model) {
  for (const auto& tensor : model.graph().initializer()) {
    auto& node = *model.mutable_graph()->add_node();
    node.set_op_type("Identity");
    node.add_input(tensor.name());
    node.add_output(tensor.name() + "_out");
    auto& output = *model.mutable_graph()->add_output();
    output.set_name(node.output(0));
    output.mutable_type()->mutable_tensor_type()->set_elem_type(tensor.data_type());
  }
  return model.SerializeAsString();
}

class LargeElementsTest : public ::testing::Test {
 protected:
  std::string file_of(const std::string& bytes) {
    write_file(folder_.file("model.onnx"), std::as_bytes(std::span(bytes)));
    return folder_.file("model.onnx");
  }
  std::unique_ptr<ir::Graph> from_file(const std::string& bytes, const ImportOptions& options = {}) {
    return import_file(file_of(bytes), options);
  }
  // What both ways say of the same bytes.
  void expect_same_error(const std::string& bytes) {
    const auto error_of = [](const auto& import) {
      try {
        import();
      } catch (const Error& e) {
        return std::string(e.what());
      }
      return std::string();
    };
    const std::string expected = error_of([&] { import_bytes(std::as_bytes(std::span(bytes))); });
    EXPECT_NE(expected, "");
    EXPECT_EQ(error_of([&] { from_file(bytes); }), expected);
    // A look need not see what is wrong with elements that it leaves out.
    const std::string seen = error_of([&] { look_at_file(file_of(bytes), [](const ir::Graph&) {}); });
    EXPECT_TRUE(seen.empty() || seen == expected) << seen;
  }
  TemporaryFolder folder_;
};

void expect_same_constants(const ir::Graph& a, const ir::Graph& b) {
  const auto results_of = [](const ir::Graph& graph) { return ir::evaluate(graph, {}); };
  const auto of_a = results_of(a), of_b = results_of(b);
  ASSERT_EQ(of_a.size(), of_b.size());
  for (size_t i = 0; i < of_a.size(); ++i) {
    const Tensor &x = of_a[i].tensor, &y = of_b[i].tensor;
    EXPECT_EQ(a.outputs()[i]->name(), b.outputs()[i]->name());
    ASSERT_EQ(x.type_string(), y.type_string());
    EXPECT_EQ(std::memcmp(x.data(), y.data(), static_cast<size_t>(x.bytes())), 0) << a.outputs()[i]->name();
  }
}

TEST_F(LargeElementsTest, AFileIsWhatItsBytesAre) {
  ::onnx::ModelProto model = model_of_initializers();
  add_initializer(model, "flags", ::onnx::TensorProto::BOOL, 5 * kMany, 5 * kMany);  // bytes above 1 are true
  const std::string bytes = bytes_of(model);
  expect_same_constants(*from_file(bytes), *import_bytes(std::as_bytes(std::span(bytes))));
}

TEST_F(LargeElementsTest, TheMessageLacksWhatIsLarge) {
  ::onnx::ModelProto model = model_of_initializers();
  const std::string bytes = bytes_of(model);
  const std::string path = file_of(bytes);
  const InputFile file(path);
  LargeElements large(file, path);
  const std::string rest = large.scan();
  EXPECT_LT(rest.size(), 2000U);
  EXPECT_EQ(large.size_of(0), kMany * 4);
  EXPECT_EQ(large.size_of(1), 0);
  ::onnx::ModelProto parsed;
  ASSERT_TRUE(parsed.ParseFromString(rest));
  ASSERT_EQ(parsed.graph().initializer_size(), 4);
  std::string read(kMany * 8, ' ');
  large.fill_later(3, read.data());
  large.read();
  EXPECT_EQ(read, elements(kMany * 8));
  for (int i : {0, 2, 3}) large.complete(i, *parsed.mutable_graph()->mutable_initializer(i));
  EXPECT_EQ(parsed.SerializeAsString(), bytes);
}

TEST_F(LargeElementsTest, GraphsThatComeInPartsAreOne) {
  ::onnx::ModelProto first = model_of_initializers(), second;
  add_initializer(second, "late", ::onnx::TensorProto::DOUBLE, kMany, kMany * 8);
  const std::string bytes = bytes_of(first) + bytes_of(second);
  const auto graph = from_file(bytes);
  EXPECT_EQ(graph->outputs().size(), 5U);
  expect_same_constants(*graph, *import_bytes(std::as_bytes(std::span(bytes))));
}

TEST_F(LargeElementsTest, GivenElementsTakeTheirPlace) {
  ::onnx::ModelProto model = model_of_initializers();
  const std::string bytes = bytes_of(model), given(kMany * 4, '\1');
  ImportOptions options;
  options.initializers["floats"] = std::as_bytes(std::span(given));
  const auto graph = from_file(bytes, options);
  EXPECT_EQ(std::memcmp(ir::evaluate(*graph, {})[0].tensor.data(), given.data(), given.size()), 0);
}

TEST_F(LargeElementsTest, ALookSeesTheGraphWithoutItsElements) {
  ::onnx::ModelProto model = model_of_initializers();
  const std::string path = file_of(bytes_of(model));
  std::string outline;
  int looks = 0;
  look_at_file(path, [&](const ir::Graph& graph) {
    ++looks;
    for (const ir::Value* v : graph.outputs()) outline += v->name() + " " + v->type().str() + "\n";
    const auto results = ir::evaluate(graph, {});
    const auto floats = results[0].tensor.as<float>(), few = results[1].tensor.as<float>();
    EXPECT_TRUE(std::all_of(floats.begin(), floats.end(), [](float x) { return x == 0; }));
    EXPECT_EQ(std::memcmp(few.data(), elements(12).data(), 12), 0);
  });
  EXPECT_EQ(looks, 1);
  std::string whole;
  const auto read = import_file(path);
  for (const ir::Value* v : read->outputs()) whole += v->name() + " " + v->type().str() + "\n";
  EXPECT_EQ(outline, whole);
  ::onnx::ModelProto small;
  small.set_ir_version(10);
  small.add_opset_import()->set_version(21);
  small.mutable_graph()->set_name("g");
  add_initializer(small, "few", ::onnx::TensorProto::FLOAT, 3, 12);
  looks = 0;
  look_at_file(file_of(bytes_of(small)), [&](const ir::Graph& graph) { looks += graph.outputs().size() == 1; });
  EXPECT_EQ(looks, 1);
}

TEST_F(LargeElementsTest, WhatIsWrongIsSaidAlike) {
  using Onnx = ::onnx::TensorProto;
  const auto with = [](const std::function<void(Onnx&)>& change) {
    ::onnx::ModelProto model = model_of_initializers();
    change(*model.mutable_graph()->mutable_initializer(0));
    return bytes_of(model);
  };
  expect_same_error(with([](Onnx& t) { t.set_dims(0, kMany + 1); }));
  expect_same_error(with([](Onnx& t) { t.set_dims(0, -1); }));
  expect_same_error(with([](Onnx& t) { t.set_data_type(99); }));
  expect_same_error(with([](Onnx& t) { t.set_data_type(Onnx::STRING); }));
  expect_same_error(with([](Onnx& t) { t.mutable_segment()->set_begin(0); }));
  expect_same_error(with([](Onnx& t) { t.set_name("few"); }));
  const std::string sound = with([](Onnx&) {});
  for (size_t cut : {size_t{1}, size_t{100}, sound.size() / 2, sound.size() - 20})
    expect_same_error(sound.substr(0, sound.size() - cut));
}

// The last elements count.
TEST_F(LargeElementsTest, ElementsThatAreGivenTwice) {
  ::onnx::ModelProto model = model_of_initializers();
  using Onnx = ::onnx::TensorProto;
  Onnx again;
  again.set_raw_data(std::string(kMany * 4, '\2'));
  std::string tensor = model.graph().initializer(0).SerializeAsString() + again.SerializeAsString();
  ::onnx::ModelProto rest = model;
  rest.mutable_graph()->mutable_initializer()->DeleteSubrange(0, 1);
  std::string graph = rest.graph().SerializeAsString();
  const auto field = [](int number, const std::string& content) {
    std::string text(1, static_cast<char>(number << 3 | 2));
    for (size_t length = content.size();; length >>= 7) {
      text += static_cast<char>(length > 127 ? (length & 127) | 128 : length);
      if (length <= 127) break;
    }
    return text + content;
  };
  rest.clear_graph();
  ::onnx::ModelProto uses;
  auto& node = *uses.mutable_graph()->add_node();
  node.set_op_type("Identity");
  node.add_input("floats");
  node.add_output("y");
  uses.mutable_graph()->add_output()->set_name("y");
  uses.mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->set_elem_type(Onnx::FLOAT);
  const std::string bytes = rest.SerializeAsString() + field(7, graph + field(5, tensor)) + uses.SerializeAsString();
  const auto y = ir::evaluate(*from_file(bytes), {})[0].tensor;
  EXPECT_EQ(static_cast<const char*>(y.data())[0], 2);
}

}  // namespace
}  // namespace kiln::onnx
