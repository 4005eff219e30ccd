// Marks of layers with a precision of their own.
#include "compiler/layer_precisions.h"

#include <algorithm>

#include "base/error.h"
#include "base/names.h"
#include "passes/narrow/overflow.h"

namespace kiln {
namespace {

// Each piece between stars may as well be the first of its kind; the last one ends the text.
bool fits(std::string_view pattern, std::string_view text) {
  size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == text;
  if (!text.starts_with(pattern.substr(0, star))) return false;
  text.remove_prefix(star);
  while (true) {
    pattern.remove_prefix(star + 1);
    star = pattern.find('*');
    if (star == std::string_view::npos) return text.ends_with(pattern);
    const std::string_view piece = pattern.substr(0, star);
    const size_t at = text.find(piece);
    if (at == std::string_view::npos) return false;
    text.remove_prefix(at + piece.size());
  }
}

class Marker {
 public:
  Marker(const Target& target, const Precisions& precisions, Logger& logger)
      : target_(target), precisions_(precisions), logger_(logger), found_(precisions.layers.size()) {}

  void mark(ir::Graph& graph) {
    for (const auto& node : graph.nodes()) {
      names_.push_back(node->name());
      for (size_t i = 0; i < found_.size(); ++i)
        if (is_named(precisions_.layers[i], *node)) set(*node, i);
      for (const auto& region : node->regions) mark(*region);
    }
  }

  void complain() const {
    for (size_t i = 0; i < found_.size(); ++i)
      if (!found_[i])
        report(Error(Code::kNotFound, "no layer is called '" + precisions_.layers[i].name + "'" +
                                          name_hint(precisions_.layers[i].name, names_))
                   .remedy("kiln build MODEL --dump=import prints the layers with their names"));
  }

 private:
  static bool is_named(const Precisions::Layer& layer, const ir::Node& node) {
    const auto is_meant = [&](const std::string& name) {
      return layer.is_pattern ? fits(layer.name, name) : layer.name == name;
    };
    return is_meant(node.name()) || std::any_of(node.origins.begin(), node.origins.end(), is_meant);
  }

  void set(ir::Node& node, size_t i) {
    found_[i] = true;
    const DType type = precisions_.layers[i].type;
    const ir::Value* first = node.input(0);
    const DType given = first && first->is_tensor() ? first->dtype() : DType::kInvalid;
    const bool is_one = !precisions_.layers[i].is_pattern || precisions_.layers[i].name.find('*') == std::string::npos;
    const ir::Value* too_large = passes::overflowing_constant(node, type);
    node.precision = DType::kInvalid;
    if (too_large && !is_one && !precisions_.obey) return;  // the rule that narrows leaves it as it is, and says so
    if (too_large) {
      report(Error(Code::kUnsupported, "the layer is to compute in " + std::string(name(type)))
                 .node("'" + node.name() + "'")
                 .cause("its constant '" + too_large->name() + "' overflows " + std::string(name(type)))
                 .remedy("let it compute in float32, or scale the weights in the model"));
    } else if (given == type) {
      if (type == DType::kF32) node.precision = type;
    } else if (given == DType::kF32 && (type == precisions_.compute || type == precisions_.second) &&
               target_.computes_in(type)) {
      node.precision = type;
    } else if (is_one || (precisions_.obey && given == DType::kF32)) {
      report(Error(Code::kUnsupported, "the layer is to compute in " + std::string(name(type)))
                 .node("'" + node.name() + "'")
                 .cause(given != DType::kF32 ? "its first input is " + (first ? first->type().str() : "absent")
                        : !target_.computes_in(type)
                            ? "the back end '" + std::string(target_.name()) + "' computes it in the types of the model"
                            : "the build is allowed " + std::string(name(precisions_.compute)) + " only")
                 .remedy(given != DType::kF32
                             ? "cast the inputs of the layer in the model"
                             : "allow the type for the whole build (--fp16, --bf16), or choose float32"));
    }
  }

  void report(const Error& error) const {
    if (precisions_.obey) throw error;
    logger_.log(Severity::kWarning, error.what());
  }

  const Target& target_;
  const Precisions& precisions_;
  Logger& logger_;
  std::vector<bool> found_;
  std::vector<std::string> names_;
};

}  // namespace

void mark_precisions(ir::Graph& graph, const Target& target, const Precisions& precisions, Logger& logger) {
  Marker marker(target, precisions, logger);
  marker.mark(graph);
  marker.complain();
}

}  // namespace kiln
