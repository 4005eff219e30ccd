// Types of the ONNX schema, and the files of its test sets.
#include <google/protobuf/io/coded_stream.h>
#include <onnx/onnx-data.pb.h>
#include <onnx/onnx-ml.pb.h>

#include "base/error.h"
#include "base/printable.h"
#include "base/require.h"
#include "frontends/onnx/tensor_proto.h"
#include "ir/graph.h"

namespace kiln::onnx {
namespace {

Dim read_dim(const ::onnx::TensorShapeProto::Dimension& proto, const std::string& unnamed,
             const std::map<std::string, int64_t>& fixed_dims) {
  if (proto.has_dim_value()) {
    if (proto.dim_value() < 0)
      throw Error(Code::kInvalidGraph, "a shape has the dimension " + std::to_string(proto.dim_value()))
          .remedy("leave dynamic dimensions empty or name them");
    return Dim(proto.dim_value());
  }
  const std::string& name = proto.dim_param().empty() ? unnamed : proto.dim_param();
  const auto fixed = fixed_dims.find(name);
  return fixed == fixed_dims.end() ? Dim::symbol(shortened(name, ir::kLongestName + 32)) : Dim(fixed->second);
}

TensorType read_tensor_type(const ::onnx::TypeProto::Tensor& proto, const std::string& unnamed,
                            const std::map<std::string, int64_t>& fixed_dims) {
  TensorType type;
  type.dtype = dtype_from_onnx(proto.elem_type());
  type.ranked = proto.has_shape();
  if (static_cast<size_t>(proto.shape().dim_size()) > kMostRank)
    throw Error(Code::kUnsupported, "'" + unnamed + "' has " + std::to_string(proto.shape().dim_size()) + " dimensions")
        .cause("a tensor has at most " + std::to_string(kMostRank));
  for (int i = 0; i < proto.shape().dim_size(); ++i)
    type.shape.push_back(read_dim(proto.shape().dim(i), unnamed + "." + std::to_string(i), fixed_dims));
  return type;
}

template <class Message> void parse(const std::string& path, const FileMap& file, Message& message) {
  const auto bytes = file.bytes();
  if (bytes.size() > INT32_MAX || !message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    throw Error(Code::kMalformedModel, "'" + path + "' is not a stored ONNX value");
}

Datum tensor_datum(const ::onnx::TensorProto& proto) { return Datum(read_tensor(proto, nullptr, nullptr)); }

Datum sequence_datum(const ::onnx::SequenceProto& proto) {
  Datum datum;
  datum.kind = Datum::kSequence;
  require(proto.sequence_values_size() + proto.map_values_size() + proto.optional_values_size() +
                  proto.sparse_tensor_values_size() ==
              0,
          Code::kUnsupported, "a stored sequence holds other things than tensors");
  for (const auto& item : proto.tensor_values()) datum.items.push_back(tensor_datum(item));
  if (!datum.items.empty()) datum.element_dtype = datum.items[0].tensor.dtype();
  return datum;
}

Datum optional_datum(const ::onnx::OptionalProto& proto) {
  Datum datum;
  datum.kind = Datum::kOptional;
  if (proto.has_tensor_value()) datum.items.push_back(tensor_datum(proto.tensor_value()));
  if (proto.has_sequence_value()) datum.items.push_back(sequence_datum(proto.sequence_value()));
  if (!datum.items.empty())
    datum.element_dtype =
        datum.items[0].kind == Datum::kTensor ? datum.items[0].tensor.dtype() : datum.items[0].element_dtype;
  return datum;
}

}  // namespace

EdgeType read_type(const ::onnx::TypeProto& proto, const std::string& unnamed,
                   const std::map<std::string, int64_t>& fixed_dims) {
  EdgeType type;
  const ::onnx::TypeProto* inner = &proto;
  if (inner->has_optional_type()) {
    type.kind = Datum::kOptional;
    inner = &inner->optional_type().elem_type();
  }
  if (inner->has_sequence_type()) {
    type.optional_of_sequence = type.kind == Datum::kOptional;
    if (!type.optional_of_sequence) type.kind = Datum::kSequence;
    inner = &inner->sequence_type().elem_type();
  }
  if (!inner->has_tensor_type())
    throw Error(Code::kUnsupported, "'" + unnamed + "' is neither tensor, sequence of tensors, nor optional of these");
  type.tensor = read_tensor_type(inner->tensor_type(), unnamed, fixed_dims);
  return type;
}

Datum load_datum(const std::string& path, Datum::Kind kind) {
  const auto file = FileMap::open(path);
  if (kind == Datum::kSequence) {
    ::onnx::SequenceProto proto;
    parse(path, *file, proto);
    return sequence_datum(proto);
  }
  if (kind == Datum::kOptional) {
    ::onnx::OptionalProto proto;
    parse(path, *file, proto);
    return optional_datum(proto);
  }
  ::onnx::TensorProto proto;
  parse(path, *file, proto);
  return tensor_datum(proto);
}

}  // namespace kiln::onnx
