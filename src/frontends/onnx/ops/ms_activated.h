// Activations that ONNX Runtime's fused operators hold.
#pragma once
#include "frontends/onnx/node_import.h"

namespace kiln::onnx::ops {

// Gives the node's result: `op`, then the activation of that name, if any, with up to two parameters.
inline void emit_activated(NodeImport& n, std::string_view op, std::vector<ir::Value*> inputs, Attributes attributes,
                           const std::string& activation, const Floats& parameters) {
  if (activation.empty()) return n.emit(op, std::move(inputs), std::move(attributes));
  ir::Value* x = n.add(op, std::move(inputs), std::move(attributes));
  const auto parameter = [&](size_t i, double fallback) { return i < parameters.size() ? parameters[i] : fallback; };
  if (activation == "Relu" || activation == "Tanh" || activation == "Sigmoid" || activation == "Softplus" ||
      activation == "Softsign")
    return n.emit(activation, {x});
  if (activation == "LeakyRelu" || activation == "Elu")
    return n.emit(activation, {x}, {{"alpha", parameter(0, activation == "Elu" ? 1.0 : 0.01)}});
  if (activation == "HardSigmoid")
    return n.emit(activation, {x}, {{"alpha", parameter(0, 0.2)}, {"beta", parameter(1, 0.5)}});
  if (activation == "Clip")
    return n.emit(activation,
                  {x, n.scalar(x->dtype(), parameter(0, -INFINITY)), n.scalar(x->dtype(), parameter(1, INFINITY))});
  n.unsupported("the activation '" + activation + "' is not known");
}

}  // namespace kiln::onnx::ops
