// Tensors, sequences and types of the ONNX schema as Kiln's.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/file_map.h"
#include "ops/op.h"

namespace onnx {
class SparseTensorProto;
class TensorProto;
class TypeProto;
}  // namespace onnx

namespace kiln::onnx {

// The data files of a model: inside one folder only, each mapped once.
class ExternalData {
 public:
  explicit ExternalData(std::string folder) : folder_(std::move(folder)) {}
  struct Part {
    std::span<const std::byte> bytes;
    std::shared_ptr<const FileMap> file;
  };
  // Throws kInvalidGraph when the location leaves the folder or the range leaves the file. `length` < 0: to the end.
  Part read(const std::string& location, int64_t offset, int64_t length);

 private:
  std::shared_ptr<const FileMap> open(const std::string& location);
  std::string folder_;
  std::map<std::string, std::shared_ptr<const FileMap>> files_;
};

// The number in TensorProto.DataType. Throws kMalformedModel.
DType dtype_from_onnx(int64_t number);

// Elements are borrowed from the proto when `owner` keeps it alive, else copied. `external` may be null: then such data are refused.
Tensor read_tensor(const ::onnx::TensorProto& proto, const std::shared_ptr<const void>& owner, ExternalData* external);
// Memory for a tensor whose message lacks its elements, of so many bytes, as they would lie in raw_data. Nothing for one that needs more
// than to have them copied.
std::optional<Tensor> room_for(const ::onnx::TensorProto& proto, int64_t raw_bytes);
Tensor read_sparse_tensor(const ::onnx::SparseTensorProto& proto, ExternalData* external);

// The bytes of a TensorProto that holds `tensor`. Throws kUnsupported for strings.
std::string tensor_bytes(const Tensor& tensor, const std::string& name);

// `unnamed` starts the names of dimensions that have none. Throws kUnsupported for maps, sparse tensors and opaque types.
EdgeType read_type(const ::onnx::TypeProto& proto, const std::string& unnamed,
                   const std::map<std::string, int64_t>& fixed_dims);

// A file of the ONNX test sets: a TensorProto, SequenceProto or OptionalProto, as `kind` says.
Datum load_datum(const std::string& path, Datum::Kind kind = Datum::kTensor);

}  // namespace kiln::onnx
