// The ONNX reader: graphs, provenance, versions, functions, data files, refusals.
#include "frontends/onnx/import.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/file_map.h"
#include "base/temporary_folder.h"

namespace kiln::onnx {
namespace {

// Models that a script makes.
class Models : public TemporaryFolder {
 public:
  Models() {
    const std::string command =
        std::string(KILN_PYTHON) + " " + KILN_SOURCE_DIR + "/tests/onnx/make_models.py " + path();
    if (std::system(command.c_str()) != 0) throw Error(Code::kInternal, "make_models.py failed");
  }
  ~Models() { std::filesystem::remove(path() + ".outside"); }
};

const std::string& folder() {
  static const Models models;
  return models.path();
}

std::unique_ptr<ir::Graph> load(const std::string& name, const ImportOptions& options = {}) {
  auto graph = import_file(folder() + "/" + name + ".onnx", options);
  ir::verify(*graph);
  return graph;
}

Error refusal(const std::string& name) {
  try {
    load(name);
  } catch (const Error& e) {
    return e;
  }
  return Error(Code::kOk, name + " was imported");
}

bool contains(const Error& e, const std::string& text) { return std::string(e.what()).find(text) != std::string::npos; }

std::vector<float> run(const std::string& name, Dims dims, std::vector<float> x) {
  const auto out = ir::evaluate(*load(name), {Datum(Tensor::of<float>(std::move(dims), x))});
  const auto values = out.at(0).tensor.as<float>();
  return {values.begin(), values.end()};
}
using V = std::vector<float>;

TEST(Import, KeepsNamesAndProvenance) {
  const auto g = load("relu");
  ASSERT_EQ(g->nodes().size(), 1u);
  const ir::Node& node = *g->nodes().front();
  EXPECT_EQ(node.name(), "act");
  EXPECT_EQ(node.origins, Strings{"act"});
  EXPECT_EQ(node.input(0)->name(), "x");
  EXPECT_EQ(node.output()->name(), "y");
  EXPECT_EQ(g->outputs().at(0)->type().str(), "float32[batch,3]");
}

TEST(Import, NamesDynamicDimensions) {
  EXPECT_EQ(load("unnamed_dim")->inputs().at(0)->shape().at(0), Dim::symbol("x.0"));
  ImportOptions options;
  options.fixed_dims["batch"] = 4;
  EXPECT_EQ(to_string(load("relu", options)->outputs().at(0)->shape()), "[4,3]");
}

TEST(Import, InitializersAreConstants) {
  EXPECT_EQ(run("add", {1, 3}, {10, 20, 30}), (V{11, 22, 33}));
  EXPECT_EQ(load("weight_is_input")->inputs().size(), 1u);
}

TEST(Import, SortsNodes) { EXPECT_EQ(load("unsorted")->nodes().front()->name(), "first"); }

TEST(Import, OutputThatIsAnInputGetsANode) {
  const auto g = load("output_is_input");
  ASSERT_EQ(g->outputs().size(), 2u);
  EXPECT_NE(g->outputs()[1]->producer(), nullptr);
}

TEST(Import, RefusesBadGraphs) {
  const std::map<std::string, std::pair<Code, std::string>> cases{
      {"cycle", {Code::kInvalidGraph, "cycle"}},
      {"twice", {Code::kInvalidGraph, "'y' is given to two values"}},
      {"missing", {Code::kInvalidGraph, "nowhere"}},
      {"no_output", {Code::kInvalidGraph, "'z'"}},
      {"same_outputs", {Code::kInvalidGraph, "outputs 0 and 2 of the graph are both named 'y'"}},
      {"negative_dim", {Code::kInvalidGraph, "-3"}},
      {"opset0", {Code::kUnsupported, "opset 0"}},
      {"opset99", {Code::kUnsupported, "opset 99"}},
      {"short_weight", {Code::kMalformedModel, "wrong size"}},
      {"huge_weight", {Code::kMalformedModel, "too large"}},
      {"recursive", {Code::kInvalidGraph, "calls itself"}},
      {"bad_shape", {Code::kShapeMismatch, "'product' (MatMul, opset 21)"}},
  };
  for (const auto& [name, expected] : cases) {
    const Error e = refusal(name);
    EXPECT_EQ(e.code(), expected.first) << name << ": " << e.what();
    EXPECT_TRUE(contains(e, expected.second)) << name << ": " << e.what();
  }
  EXPECT_TRUE(contains(refusal("bad_shape"), "x float32[batch,3]"));
}

TEST(Import, ListsEveryUnsupportedNode) {
  const Error e = refusal("unsupported");
  EXPECT_EQ(e.code(), Code::kUnsupported);
  EXPECT_TRUE(contains(e, "'first' (Nonsense, opset 21)")) << e.what();
  EXPECT_TRUE(contains(e, "'second' (acme.Other, opset 1)")) << e.what();
  EXPECT_TRUE(contains(e, "2 nodes")) << e.what();
  EXPECT_TRUE(contains(refusal("unknown_attribute"), "'slope'"));
}

TEST(Import, InlinesFunctions) {
  EXPECT_EQ(run("function", {1, 3}, {-8, 0, 8}), (V{-1, 0, 8}));
  const auto g = load("function");
  EXPECT_EQ(g->nodes().size(), 2u);
  EXPECT_EQ(g->nodes().front()->output()->name(), "m");
}

TEST(Import, OldVersions) {
  EXPECT_EQ(run("softmax7", {2, 2, 2}, {0, 0, 0, 0, 1, 1, 1, 1}), V(8, 0.25f));
  EXPECT_EQ(run("sum7", {2, 3}, {1, 2, 3, 4, 5, 6}), (V{6, 15}));
  EXPECT_EQ(run("slice7", {2, 3}, {1, 2, 3, 4, 5, 6}), (V{2, 3, 5, 6}));
  EXPECT_EQ(run("split7", {2, 3}, {1, 2, 3, 4, 5, 6}), (V{2, 3, 5, 6}));
  EXPECT_EQ(run("pad7", {2, 3}, {1, 2, 3, 4, 5, 6}), (V{7, 1, 2, 3, 7, 4, 5, 6}));
  EXPECT_EQ(run("clip7", {2, 3}, {1, 2, 3, 4, 5, 6}), (V{2, 2, 3, 4, 4, 4}));
  EXPECT_EQ(to_string(load("squeeze7")->outputs().at(0)->shape()), "[3]");
}

TEST(Import, EveryElementTypeRawAndTyped) {
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    const std::string name = entry.path().stem().string();
    if (!name.starts_with("raw_") && !name.starts_with("typed_")) continue;
    ++seen;
    const auto g = load(name);
    const Tensor* w = nullptr;
    for (const auto& v : g->values())
      if (v->constant()) w = v->constant();
    ASSERT_NE(w, nullptr) << name;
    ASSERT_EQ(w->dims(), Dims{3}) << name;
    const bool e8m0 = w->dtype() == DType::kF8E8M0;  // has no zero
    EXPECT_EQ(w->at(0), 1) << name;
    if (!e8m0) {
      EXPECT_EQ(w->at(1), 0) << name;
    }
    EXPECT_EQ(w->at(2), 1) << name;
  }
  EXPECT_EQ(seen, 2 * 25);
}

TEST(Import, ExternalDataOfTheFolderAlone) {
  EXPECT_EQ(run("external", {1, 3}, {0, 0, 0}), (V{1, 2, 3}));
  EXPECT_EQ(run("external_sub", {1, 3}, {0, 0, 0}), (V{1, 2, 3}));
  for (const char* name : {"external_up", "external_absolute", "external_link", "external_long", "external_overflow"})
    EXPECT_EQ(refusal(name).code(), Code::kInvalidGraph) << name;
  EXPECT_EQ(refusal("external_negative").code(), Code::kMalformedModel);
  EXPECT_EQ(refusal("external_absent").code(), Code::kNotFound);
}

TEST(Import, BranchesCaptureValuesAndCopyConstants) {
  const auto g = load("branch");
  const ir::Node& node = *g->nodes().front();
  EXPECT_EQ(node.inputs().size(), 2u);
  EXPECT_EQ(node.attributes.integer("captures"), 1);
  for (const bool condition : {true, false}) {
    const auto out = ir::evaluate(*g, {Datum(Tensor::scalar(condition)), Datum(Tensor::of<float>({1, 3}, {-1, 0, 1}))});
    EXPECT_EQ(out.at(0).tensor.at(0), 0);
    EXPECT_EQ(out.at(0).tensor.at(2), condition ? 4 : 1);
  }
}

TEST(Import, DamagedBytesGiveErrors) {
  EXPECT_THROW(import_bytes({}), Error);
  for (const char* name : {"function", "branch", "raw_FLOAT", "external"}) {
    const auto file = FileMap::open(folder() + "/" + name + ".onnx");
    const auto all = file->bytes();
    for (size_t n = 0; n < all.size(); ++n) {
      try {
        import_bytes(all.first(n));
      } catch (const Error&) {
      }
      std::vector<std::byte> flipped(all.begin(), all.end());
      for (int bit = 0; bit < 8; ++bit) {
        flipped[n] = all[n] ^ std::byte(1 << bit);
        try {
          import_bytes(flipped);
        } catch (const Error&) {
        }
      }
    }
  }
}

TEST(Import, ScansOfABatchOfSequences) {
  EXPECT_EQ(run("scan8_whole", {2, 3, 1}, {1, 2, 3, 4, 5, 6}), (V{14, 18, 22, 30, 40, 50}));
  EXPECT_EQ(run("scan8", {2, 3, 1}, {1, 2, 3, 4, 5, 6}), (V{14, 18, 22, 29, 38, 0}));
}

}  // namespace
}  // namespace kiln::onnx
