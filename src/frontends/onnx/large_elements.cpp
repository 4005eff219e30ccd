// A walk through the message that copies all but the elements.
#include "frontends/onnx/large_elements.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>
#include <onnx/onnx-ml.pb.h>

#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "base/error.h"
#include "base/in_parallel.h"

namespace kiln::onnx {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;
using google::protobuf::io::StringOutputStream;

constexpr int64_t kLargeElements = 1 << 16;  // bytes
constexpr int64_t kReadAtOnce = 4 << 20;

constexpr uint32_t tag_of(int field) {
  return static_cast<uint32_t>(field) << 3 | WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
}
constexpr uint32_t kGraphTag = tag_of(::onnx::ModelProto::kGraphFieldNumber),
                   kInitializerTag = tag_of(::onnx::GraphProto::kInitializerFieldNumber),
                   kRawDataTag = tag_of(::onnx::TensorProto::kRawDataFieldNumber);

// Calls scan(input, rest) for the message that begins here and writes what it leaves.
template <class Scan> bool copy_message(CodedInputStream& input, uint32_t tag, CodedOutputStream& output, Scan scan) {
  uint32_t length = 0;
  if (!input.ReadVarint32(&length) || length > INT_MAX) return false;
  const int left = input.BytesUntilLimit();  // negative: no limit
  if (left >= 0 && length > static_cast<uint32_t>(left)) return false;
  const auto outer = input.PushLimit(static_cast<int>(length));
  std::string rest;
  if (!scan(input, rest) || input.BytesUntilLimit() != 0) return false;
  input.PopLimit(outer);
  output.WriteTag(tag);
  output.WriteVarint32(static_cast<uint32_t>(rest.size()));
  output.WriteString(rest);
  return true;
}

// Copies each field but those with the tag, for which take(output) stands.
template <class Take> bool copy_fields(CodedInputStream& input, std::string& rest, uint32_t tag, Take take) {
  StringOutputStream stream(&rest);
  CodedOutputStream output(&stream);
  while (const uint32_t next = input.ReadTag())
    if (!(next == tag ? take(output) : WireFormatLite::SkipField(&input, next, &output))) return false;
  return true;
}

}  // namespace

std::string LargeElements::scan() {
  file_.rewind();
  google::protobuf::io::FileInputStream stream(file_.descriptor());
  CodedInputStream input(&stream);
  input.SetTotalBytesLimit(INT_MAX);
  std::string rest;
  // What is skipped beyond the file's end is not missed.
  if (scan_model(input, rest) && input.ConsumedEntireMessage() &&
      static_cast<size_t>(input.CurrentPosition()) == file_.size() && !places_.empty())
    return rest;
  places_.clear();
  return "";
}

bool LargeElements::scan_model(Input& input, std::string& rest) {
  return copy_fields(input, rest, kGraphTag, [&](CodedOutputStream& output) {
    return copy_message(input, kGraphTag, output, [&](Input& in, std::string& graph) { return scan_graph(in, graph); });
  });
}

bool LargeElements::scan_graph(Input& input, std::string& rest) {
  return copy_fields(input, rest, kInitializerTag, [&](CodedOutputStream& output) {
    const bool copied = copy_message(input, kInitializerTag, output,
                                     [&](Input& in, std::string& tensor) { return scan_tensor(in, tensor); });
    ++initializers_;
    return copied;
  });
}

// Elements that are given twice are left to the parser.
bool LargeElements::scan_tensor(Input& input, std::string& rest) {
  return copy_fields(input, rest, kRawDataTag, [&](CodedOutputStream& output) {
    uint32_t length = 0;
    if (!input.ReadVarint32(&length) || length > INT_MAX || places_.count(initializers_)) return false;
    if (length >= kLargeElements) {
      places_[initializers_] = {input.CurrentPosition(), length};
      return input.Skip(static_cast<int>(length));
    }
    std::string elements;
    if (!input.ReadString(&elements, static_cast<int>(length))) return false;
    output.WriteTag(kRawDataTag);
    output.WriteVarint32(length);
    output.WriteString(elements);
    return true;
  });
}

int64_t LargeElements::size_of(int initializer) const {
  const auto place = places_.find(initializer);
  return place == places_.end() ? 0 : place->second.size;
}

void LargeElements::complete(int initializer, ::onnx::TensorProto& proto) const {
  const Place& place = places_.at(initializer);
  std::string& elements = *proto.mutable_raw_data();
  elements.resize(static_cast<size_t>(place.size));
  read_at(place, elements.data());
}

void LargeElements::fill_later(int initializer, void* to) {
  const Place& all = places_.at(initializer);
  for (int64_t done = 0; done < all.size; done += kReadAtOnce)
    wanted_.push_back(
        {{all.offset + done, std::min(kReadAtOnce, all.size - done)}, static_cast<std::byte*>(to) + done});
}

void LargeElements::read_at(const Place& place, void* to) const {
  for (int64_t done = 0; done < place.size;) {
    const ssize_t n = ::pread(file_.descriptor(), static_cast<char*>(to) + done, static_cast<size_t>(place.size - done),
                              place.offset + done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      throw Error(Code::kIo, "cannot read '" + path_ + "'")
          .cause(n < 0 ? std::strerror(errno) : "it became shorter while it was read");
    done += n;
  }
}

void LargeElements::read() {
  in_parallel(wanted_.size(), [&](size_t i) { read_at(wanted_[i].place, wanted_[i].to); });
  wanted_.clear();
}

}  // namespace kiln::onnx
