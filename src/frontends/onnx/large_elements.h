// Elements of large initializers: they stay in the model's file while its message is parsed, and are read into memory of their own at once.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/file_map.h"

namespace onnx {
class ModelProto;
class TensorProto;
}  // namespace onnx
namespace google::protobuf::io {
class CodedInputStream;
}

namespace kiln::onnx {

class LargeElements {
 public:
  LargeElements(const InputFile& file, std::string path) : file_(file), path_(std::move(path)) {}

  // The bytes of the file's message without these elements. Nothing where it has none of them, or is not laid out as a model is: the whole of it then says why.
  std::string scan();
  // Bytes that the initializer of the model's graph lacks; 0: it is whole.
  int64_t size_of(int initializer) const;
  // Puts them into the message.
  void complete(int initializer, ::onnx::TensorProto& proto) const;
  // The same into memory that is read by the time that read() returns. Throws kIo.
  void fill_later(int initializer, void* to);
  void read();

 private:
  struct Place {
    int64_t offset, size;
  };
  struct Wanted {
    Place place;
    std::byte* to;
  };
  using Input = google::protobuf::io::CodedInputStream;
  bool scan_model(Input& input, std::string& rest);
  bool scan_graph(Input& input, std::string& rest);
  bool scan_tensor(Input& input, std::string& rest);

  void read_at(const Place& place, void* to) const;

  const InputFile& file_;
  std::string path_;
  int initializers_ = 0;
  std::map<int, Place> places_;
  std::vector<Wanted> wanted_;
};

}  // namespace kiln::onnx
