// Reads the graphs that tests/passes/<family>/<rule>.txt give as what a rule finds.
#include "operators/graphs/phrases.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "ir/text.h"

namespace kiln::operators {
namespace {

constexpr int64_t kSymbolSize = 3;
constexpr int64_t kMostOfPhrase = 4000;

// The graphs before their rule.
std::vector<std::string> texts_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<std::string> texts(1);
  bool before = true;
  for (std::string line; std::getline(file, line);) {
    if (line == "-----") before = false;
    else if (line == "=====") {
      before = true;
      texts.emplace_back();
    } else if (before) texts.back() += line + "\n";
  }
  return texts;
}

bool make_static(ir::Graph& graph) {
  bool changed = false;
  for (ir::Value* v : graph.inputs()) {
    if (!v->is_tensor() || !v->ranked() || v->dtype() == DType::kString) return false;
    EdgeType type = v->type();
    for (Dim& d : type.tensor.shape)
      d = d.substitute([](const std::string&) { return std::optional<Dim>(kSymbolSize); });
    changed = changed || !(type == v->type());
    if (!is_static(type.tensor.shape) || element_count(static_dims(type.tensor.shape)) > kMostOfPhrase) return false;
    v->set_type(std::move(type));
  }
  if (changed) graph.infer_types();
  return std::all_of(graph.nodes().begin(), graph.nodes().end(), [&](const auto& n) {
    return n->post.empty() && n->op().deterministic() && (n->regions.empty() || !changed);
  });
}

}  // namespace

const Phrases& phrases() {
  static const Phrases all = [] {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(KILN_SOURCE_DIR "/tests/passes"))
      if (entry.path().extension() == ".txt") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    Phrases list;
    for (const auto& file : files)
      for (const std::string& text : texts_of(file)) {
        auto graph = ir::parse_graph(text);
        try {
          if (make_static(*graph)) list.push_back(std::move(graph));
        } catch (const Error&) {  // its symbols are not free
        }
      }
    return list;
  }();
  return all;
}

}  // namespace kiln::operators
