// Squeeze: removes the given axes, each of extent 1; all axes of extent 1 when none are given.
#include "base/error.h"
#include "ops/movement.h"
#include "ops/registry.h"

namespace kiln::ops {
namespace {

OutputShape without(const Shape& dims, const Ints& axes) {
  Shape result;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (!contains(axes, static_cast<int64_t>(i))) {
      result.push_back(dims[i]);
    } else if (dims[i].is_constant() && dims[i].value() != 1) {
      throw Error(Code::kShapeMismatch, "Squeeze of axis " + std::to_string(i) + " of " + to_string(dims))
          .cause("its extent is not 1");
    }
  }
  return result;
}

OutputShape squeeze_shape(ShapeCall& c) {
  const Shape& dims = c.dims("data");
  if (!c.present("axes")) {
    if (!is_static(dims)) return unranked();
    Shape result;
    for (const Dim& d : dims)
      if (!(d == Dim(1))) result.push_back(d);
    return result;
  }
  if (auto axes = c.int_values("axes")) return without(dims, normalized_axes(*axes, c.rank("data")));
  auto count = static_length(c, "axes");
  return count && *count <= c.rank("data") ? OutputShape(c.unknown_shape(0, c.rank("data") - *count)) : unranked();
}

}  // namespace

const OpDef squeeze = op("Squeeze")
                          .input("data", kAnyType)
                          .optional_input("axes", DType::kI64)
                          .output("squeezed", same_type("data"))
                          .shape(squeeze_shape)
                          .elements(same_elements("data"))
                          .reference([](RefCall& c) { copy_all(c.input("data"), c.output()); });

}  // namespace kiln::ops
