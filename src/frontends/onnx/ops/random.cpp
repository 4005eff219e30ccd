// The random operators: the seed, or without one the name of the node, becomes the key of the numbers. Every run gives the same.
#include <bit>

#include "base/hash.h"
#include "frontends/onnx/ops/ops.h"

namespace kiln::onnx::ops {
namespace {

void import_random(NodeImport& n) {
  Attributes attributes = n.attributes({"seed"});
  const uint64_t key = n.has_attr("seed") ? std::bit_cast<uint64_t>(n.real("seed", 0)) : hash128(n.name()).low;
  attributes.set("key", static_cast<int64_t>(key));
  n.emit(n.op(), n.inputs(), std::move(attributes));
}

}  // namespace

const OnnxOp bernoulli{"Bernoulli", {{15, import_random}}};
const OnnxOp multinomial{"Multinomial", {{7, import_random}}};
const OnnxOp random_normal{"RandomNormal", {{1, import_random}}};
const OnnxOp random_normal_like{"RandomNormalLike", {{1, import_random}}};
const OnnxOp random_uniform{"RandomUniform", {{1, import_random}}};
const OnnxOp random_uniform_like{"RandomUniformLike", {{1, import_random}}};

}  // namespace kiln::onnx::ops
