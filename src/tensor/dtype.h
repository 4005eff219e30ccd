// Element types: every one that ONNX has, their sizes and names, and the C++ types that hold them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kiln {

// The number is stored in engine files: append only.
enum class DType : uint8_t {
  kInvalid = 0,
  kBool = 1,
  kU2 = 2,
  kI2 = 3,
  kU4 = 4,
  kI4 = 5,  // packed, lowest bits first
  kU8 = 6,
  kI8 = 7,
  kU16 = 8,
  kI16 = 9,
  kU32 = 10,
  kI32 = 11,
  kU64 = 12,
  kI64 = 13,
  kF16 = 14,
  kBF16 = 15,
  kF32 = 16,
  kF64 = 17,
  kF8E4M3FN = 18,
  kF8E4M3FNUZ = 19,
  kF8E5M2 = 20,
  kF8E5M2FNUZ = 21,
  kF8E8M0 = 22,
  kF4E2M1 = 23,  // packed, lowest bits first
  kC64 = 24,
  kC128 = 25,
  kString = 26,
};
inline constexpr int kDTypeCount = 27;

int bits(DType type);               // of one element; 0 for kString and kInvalid
std::string_view name(DType type);  // "float32", "int4", "float8e4m3fn", as numpy and ml_dtypes spell them
std::optional<DType> dtype_from_name(std::string_view name);
bool is_float(DType type);  // float4 to float64, not complex
bool is_signed_integer(DType type);
bool is_unsigned_integer(DType type);
inline bool is_integer(DType type) { return is_signed_integer(type) || is_unsigned_integer(type); }
inline bool is_complex(DType type) { return type == DType::kC64 || type == DType::kC128; }
// Bytes that `count` packed elements take, rounded up to whole bytes; nothing when it does not fit 63 bits or the type has no size.
std::optional<int64_t> byte_size(DType type, int64_t count);

}  // namespace kiln
