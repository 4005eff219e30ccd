// Layers as JSON in the form of TensorRT's engine inspector, which trtexec exports and TREx reads.
#pragma once
#include <string>
#include <vector>

#include "runtime/engine.h"

namespace kiln::api {

std::string quoted(const std::string& text);  // as JSON; what is no UTF-8 is replaced
// The number that all profiles give to each symbol which stands alone as a dimension of an input; unbound where they differ.
Symbols fixed_symbols(const kiln::Engine& engine);
std::vector<int64_t> known_dims(const kiln::Engine& engine, const plan::TensorInfo& info, const Symbols& symbols);
std::string layout_words(const Layout& layout, size_t rank);  // "row-major", "channels-last", "chw4", "order 0231"
// What TensorRT calls the format where it has words for type and layout, else the type's word.
std::string format_words(const plan::TensorInfo& info);

// One line. Constants are no inputs there: the first is the layer's weights.
std::string layer_json(const kiln::Engine& engine, const plan::StepInfo& step, const Symbols& symbols);
// The whole, of its layers in order.
std::string engine_json(const kiln::Engine& engine, const std::vector<std::string>& layers);

}  // namespace kiln::api
