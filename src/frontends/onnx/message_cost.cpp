// What a model will take once it is parsed.
#include "frontends/onnx/message_cost.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <climits>
#include <string>

#include "base/error.h"

namespace kiln::onnx {
namespace {

using google::protobuf::io::CodedInputStream;

constexpr int kDeepest = 100;  // messages in each other
// Room that a message, and a text in a list, takes beside what it holds, roughly.
constexpr uint64_t kMessageBytes = 160, kTextBytes = 64, kAlwaysBytes = 256 << 20, kBytesPerByte = 2;

// The messages that hold others or lists of texts.
enum Message : uint8_t {
  kLeaf,  // holds numbers and texts
  kText,  // no message: a text of a list
  kModel,
  kGraph,
  kNode,
  kAttribute,
  kTensor,
  kSparse,
  kValueInfo,
  kType,
  kInnerType,  // of a tensor, sequence, map or optional
  kShape,
  kFunction,
  kAnnotation,
  kTraining,
  kConfiguration,
  kSharding,
  kShardedDim,
};

// The fields of the ONNX schema that hold messages or lists of texts.
struct Field {
  Message in;
  uint32_t number;
  Message holds;
};
constexpr Field kFields[] = {
    {kModel, 7, kGraph},         {kModel, 8, kLeaf},          {kModel, 14, kLeaf},
    {kModel, 20, kTraining},     {kModel, 25, kFunction},     {kModel, 26, kConfiguration},
    {kGraph, 1, kNode},          {kGraph, 5, kTensor},        {kGraph, 11, kValueInfo},
    {kGraph, 12, kValueInfo},    {kGraph, 13, kValueInfo},    {kGraph, 14, kAnnotation},
    {kGraph, 15, kSparse},       {kGraph, 16, kLeaf},         {kNode, 1, kText},
    {kNode, 2, kText},           {kNode, 5, kAttribute},      {kNode, 9, kLeaf},
    {kNode, 10, kSharding},      {kAttribute, 5, kTensor},    {kAttribute, 6, kGraph},
    {kAttribute, 9, kText},      {kAttribute, 10, kTensor},   {kAttribute, 11, kGraph},
    {kAttribute, 14, kType},     {kAttribute, 15, kType},     {kAttribute, 22, kSparse},
    {kAttribute, 23, kSparse},   {kTensor, 6, kText},         {kTensor, 13, kLeaf},
    {kTensor, 16, kLeaf},        {kSparse, 1, kTensor},       {kSparse, 2, kTensor},
    {kValueInfo, 2, kType},      {kValueInfo, 4, kLeaf},      {kType, 1, kInnerType},
    {kType, 4, kInnerType},      {kType, 5, kInnerType},      {kType, 8, kInnerType},
    {kType, 9, kInnerType},      {kInnerType, 1, kType},      {kInnerType, 2, kShape},
    {kShape, 1, kLeaf},          {kFunction, 4, kText},       {kFunction, 5, kText},
    {kFunction, 6, kText},       {kFunction, 7, kNode},       {kFunction, 9, kLeaf},
    {kFunction, 11, kAttribute}, {kFunction, 12, kValueInfo}, {kFunction, 14, kLeaf},
    {kAnnotation, 2, kLeaf},     {kTraining, 1, kGraph},      {kTraining, 2, kGraph},
    {kTraining, 3, kLeaf},       {kTraining, 4, kLeaf},       {kConfiguration, 3, kText},
    {kSharding, 2, kSharding},   {kSharding, 3, kLeaf},       {kSharding, 4, kShardedDim},
    {kShardedDim, 2, kLeaf},
};

const Field* find_field(Message in, uint32_t number) {
  for (const Field& f : kFields)
    if (f.in == in && f.number == number) return &f;
  return nullptr;
}

class Count {
 public:
  Count(CodedInputStream& stream, uint64_t size) : stream_(stream), most_(kAlwaysBytes + kBytesPerByte * size) {}

  // False where the bytes make no sense.
  bool visit(Message message, int depth = 0) {
    using google::protobuf::internal::WireFormatLite;
    if (depth > kDeepest) return false;
    while (const uint32_t tag = stream_.ReadTag()) {
      const bool sized = WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
      const Field* field =
          sized ? find_field(message, static_cast<uint32_t>(WireFormatLite::GetTagFieldNumber(tag))) : nullptr;
      if (field) add(field->holds == kText ? kTextBytes : kMessageBytes);
      if (!field || field->holds == kText || field->holds == kLeaf) {
        if (!WireFormatLite::SkipField(&stream_, tag)) return false;
        continue;
      }
      uint32_t length = 0;
      if (!stream_.ReadVarint32(&length) || length > INT_MAX) return false;
      const auto outer = stream_.PushLimit(static_cast<int>(length));
      if (!visit(field->holds, depth + 1)) return false;
      stream_.PopLimit(outer);
    }
    return true;
  }

 private:
  void add(uint64_t bytes) {
    cost_ += bytes;
    if (cost_ > most_)
      throw Error(Code::kMalformedModel, "the model is made of too many small parts")
          .cause("its messages and texts need more than " + std::to_string(most_) + " bytes of memory");
  }
  CodedInputStream& stream_;
  uint64_t most_, cost_ = 0;
};

}  // namespace

void check_message_cost(google::protobuf::io::ZeroCopyInputStream& input, uint64_t size) {
  if (size > INT_MAX) return;  // too large in any case
  CodedInputStream stream(&input);
  stream.SetTotalBytesLimit(INT_MAX);
  Count(stream, size).visit(kModel);
}

}  // namespace kiln::onnx
