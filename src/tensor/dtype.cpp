// Names, widths and classes of element types.
#include "tensor/dtype.h"

#include "base/checked.h"

namespace kiln {
namespace {
struct Info {
  std::string_view name;
  int bits;
  char kind;  // b bool, u unsigned, i signed, f float, c complex, s string
};

constexpr Info kInfo[kDTypeCount] = {
    {"invalid", 0, ' '},    {"bool", 8, 'b'},           {"uint2", 2, 'u'},        {"int2", 2, 'i'},
    {"uint4", 4, 'u'},      {"int4", 4, 'i'},           {"uint8", 8, 'u'},        {"int8", 8, 'i'},
    {"uint16", 16, 'u'},    {"int16", 16, 'i'},         {"uint32", 32, 'u'},      {"int32", 32, 'i'},
    {"uint64", 64, 'u'},    {"int64", 64, 'i'},         {"float16", 16, 'f'},     {"bfloat16", 16, 'f'},
    {"float32", 32, 'f'},   {"float64", 64, 'f'},       {"float8e4m3fn", 8, 'f'}, {"float8e4m3fnuz", 8, 'f'},
    {"float8e5m2", 8, 'f'}, {"float8e5m2fnuz", 8, 'f'}, {"float8e8m0", 8, 'f'},   {"float4e2m1", 4, 'f'},
    {"complex64", 64, 'c'}, {"complex128", 128, 'c'},   {"string", 0, 's'},
};

const Info& info(DType type) {
  const auto index = static_cast<size_t>(type);
  return kInfo[index < kDTypeCount ? index : 0];
}
}  // namespace

int bits(DType type) { return info(type).bits; }

std::string_view name(DType type) { return info(type).name; }

std::optional<DType> dtype_from_name(std::string_view name) {
  for (int i = 1; i < kDTypeCount; ++i)
    if (kInfo[i].name == name) return static_cast<DType>(i);
  return std::nullopt;
}

bool is_float(DType type) { return info(type).kind == 'f'; }
bool is_signed_integer(DType type) { return info(type).kind == 'i'; }
bool is_unsigned_integer(DType type) { return info(type).kind == 'u'; }

std::optional<int64_t> byte_size(DType type, int64_t count) {
  const int width = bits(type);
  if (width == 0 || count < 0) return std::nullopt;
  if (width >= 8) return checked_mul(count, width / 8);
  const int per_byte = 8 / width;
  return count / per_byte + (count % per_byte != 0);
}

}  // namespace kiln
