// What a model will take once it is parsed.
#pragma once
#include <google/protobuf/io/zero_copy_stream.h>

#include <cstdint>

namespace kiln::onnx {

// Throws kMalformedModel when a ModelProto of so many bytes is made of so many small messages and texts, which take far more room in memory
// than in a file, that they need more than the file and 256 MiB. Bytes that make no sense are for the parser to refuse.
void check_message_cost(google::protobuf::io::ZeroCopyInputStream& input, uint64_t size);

}  // namespace kiln::onnx
