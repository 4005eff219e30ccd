// Values of the public API: strings, sequences and optionals beside tensors.
#include "api/host_value.h"

#include "api/host_tensor.h"
#include "api/kiln_api.h"
#include "api/npy.h"
#include "base/error.h"
#include "base/file_map.h"
#include "frontends/onnx/tensor_proto.h"

namespace kiln::api {
namespace {

using ValueKind = HostValue::Kind;

Datum collection_of(const HostValue& value) {
  Datum datum;
  datum.kind = value.kind == ValueKind::kSequence ? Datum::kSequence : Datum::kOptional;
  const auto type = dtype_from_name(value.type);
  if (!type) throw Error(Code::kTypeMismatch, "'" + value.type + "' is not an element type");
  datum.element_dtype = *type;
  for (const HostValue& item : value.items) datum.items.push_back(from_host_value(item));
  return datum;
}

}  // namespace

Datum from_host_value(const HostValue& value) {
  if (value.kind == ValueKind::kNumbers) return from_host(value.tensor).clone();
  if (value.kind == ValueKind::kSequence || value.kind == ValueKind::kOptional) return collection_of(value);
  const auto count = checked_element_count(value.dims);
  if (!count || *count != static_cast<int64_t>(value.strings.size()))
    throw Error(Code::kShapeMismatch,
                std::to_string(value.strings.size()) + " strings do not make " + to_string(value.dims));
  return Tensor::strings(value.dims, value.strings);
}

HostValue to_host_value(const Datum& datum) {
  HostValue value;
  if (datum.kind == Datum::kTensor && datum.tensor.dtype() == DType::kString) {
    value.kind = ValueKind::kStrings;
    value.dims = datum.tensor.dims();
    value.strings = datum.tensor.string_values();
  } else if (datum.kind == Datum::kTensor) {
    value.tensor = to_host(datum.tensor);
  } else {
    value.kind = datum.kind == Datum::kSequence ? ValueKind::kSequence : ValueKind::kOptional;
    value.type = std::string(name(datum.element_dtype));
    for (const Datum& item : datum.items) value.items.push_back(to_host_value(item));
  }
  return value;
}

HostValue load_value(const std::string& path, ValueKind kind) {
  return guarded([&] {
    if (path.ends_with(".npy")) return read_npy(FileMap::open(path)->bytes(), path);
    if (!path.ends_with(".pb"))
      throw Error(Code::kInvalidArgument, "'" + path + "' is neither .npy nor .pb")
          .remedy("convert it with numpy.save");
    const bool tensor = kind == ValueKind::kNumbers || kind == ValueKind::kStrings;
    return to_host_value(onnx::load_datum(path, tensor                         ? Datum::kTensor
                                                : kind == ValueKind::kSequence ? Datum::kSequence
                                                                               : Datum::kOptional));
  });
}

std::string collection_name(Datum::Kind kind) {
  return kind == Datum::kSequence ? "sequence" : kind == Datum::kOptional ? "optional" : "";
}

}  // namespace kiln::api
