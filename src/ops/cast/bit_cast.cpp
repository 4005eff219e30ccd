// BitCast: the bits of each element read as type `to`, which has the same width.
#include <cstring>

#include "base/error.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

DType target(const ShapeCall& c) {
  const DType from = c.dtype("input"), to = c.attributes().dtype("to");
  if (to == DType::kString || bits(from) != bits(to))
    throw Error(Code::kTypeMismatch, "BitCast of " + std::string(name(from)) + " to " + std::string(name(to)))
        .cause("both types must have the same number of bits");
  return to;
}

}  // namespace

const OpDef bit_cast =
    op("BitCast")
        .input("input", kRealTypes | TypeSet{DType::kC64, DType::kC128})
        .required_attr("to", std::string())
        .output("y", computed_type(target))
        .shape([](ShapeCall& c) { return OutputShape(c.dims("input")); })
        .reference([](RefCall& c) {
          if (c.input(0).bytes() > 0)
            std::memcpy(c.output().mutable_data(), c.input(0).data(), static_cast<size_t>(c.input(0).bytes()));
        });

}  // namespace kiln::ops
