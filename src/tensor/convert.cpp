// Conversions of single values and of packed arrays.
#include "tensor/convert.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "base/error.h"
#include "base/in_parallel.h"
#include "tensor/small_float.h"

namespace kiln {
namespace {

template <class T> T load(const void* data, int64_t index) {
  T value;
  std::memcpy(&value, static_cast<const char*>(data) + index * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}
template <class T> void store(void* data, int64_t index, T value) {
  std::memcpy(static_cast<char*>(data) + index * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
}

// Sub-byte elements lie in a byte from its lowest bits up.
uint8_t load_packed(const void* data, int64_t index, int width) {
  const int per_byte = 8 / width;
  const uint8_t byte = static_cast<const uint8_t*>(data)[index / per_byte];
  return static_cast<uint8_t>((byte >> (index % per_byte * width)) & ((1 << width) - 1));
}
void store_packed(void* data, int64_t index, int width, uint8_t bits) {
  const int per_byte = 8 / width;
  uint8_t& byte = static_cast<uint8_t*>(data)[index / per_byte];
  const int shift = static_cast<int>(index % per_byte) * width;
  const int mask = ((1 << width) - 1) << shift;
  byte = static_cast<uint8_t>((byte & ~mask) | ((bits << shift) & mask));
}
int32_t int32_from_double(double value) {
  const bool fits = value > -2147483649.0 && value < 2147483648.0;
  return fits ? static_cast<int32_t>(value) : std::numeric_limits<int32_t>::min();
}

int64_t sign_extend(uint8_t bits, int width) { return static_cast<int8_t>(bits << (8 - width)) >> (8 - width); }

const SmallFormat& format_of(DType type) {
  switch (type) {
    case DType::kF8E4M3FN: return kFormatE4M3FN;
    case DType::kF8E4M3FNUZ: return kFormatE4M3FNUZ;
    case DType::kF8E5M2: return kFormatE5M2;
    case DType::kF8E5M2FNUZ: return kFormatE5M2FNUZ;
    case DType::kF4E2M1: return kFormatE2M1;
    default: throw Error(Code::kTypeMismatch, std::string(name(type)) + " is not a float of 8 bits or fewer");
  }
}

[[noreturn]] void fail_type(const char* what, DType type) {
  throw Error(Code::kTypeMismatch, std::string(what) + " " + std::string(name(type)));
}

// An integer element; `unsigned_value` says that the bits of a uint64 are meant.
void store_integer(DType type, void* data, int64_t index, int64_t value, bool unsigned_value, bool saturate) {
  switch (type) {
    case DType::kBool: return store<uint8_t>(data, index, value != 0);
    case DType::kU2:
    case DType::kI2: return store_packed(data, index, 2, static_cast<uint8_t>(value & 3));
    case DType::kU4:
    case DType::kI4: return store_packed(data, index, 4, static_cast<uint8_t>(value & 15));
    case DType::kU8:
    case DType::kI8: return store(data, index, static_cast<uint8_t>(value));
    case DType::kU16:
    case DType::kI16: return store(data, index, static_cast<uint16_t>(value));
    case DType::kU32:
    case DType::kI32: return store(data, index, static_cast<uint32_t>(value));
    case DType::kU64:
    case DType::kI64: return store(data, index, value);
    case DType::kF64:
    case DType::kC128:
      return store_double(
          type, data, index,
          unsigned_value ? static_cast<double>(static_cast<uint64_t>(value)) : static_cast<double>(value));
    default: {
      const float real = unsigned_value ? static_cast<float>(static_cast<uint64_t>(value)) : static_cast<float>(value);
      return store_double(type, data, index, real, saturate);
    }
  }
}

// Loops whose body is the same for each element, in chunks of a constant length so that they are vectorised.
template <class From, class To, class Function>
void map_elements(const void* source, void* destination, int64_t count, Function function) {
  constexpr int64_t kChunk = 64;
  std::array<From, kChunk> in;
  std::array<To, kChunk> out;
  int64_t i = 0;
  for (; i + kChunk <= count; i += kChunk) {
    std::memcpy(in.data(), static_cast<const char*>(source) + i * static_cast<int64_t>(sizeof(From)), sizeof in);
    for (size_t j = 0; j < kChunk; ++j) out[j] = function(in[j]);
    std::memcpy(static_cast<char*>(destination) + i * static_cast<int64_t>(sizeof(To)), out.data(), sizeof out);
  }
  for (; i < count; ++i) store<To>(destination, i, function(load<From>(source, i)));
}

template <class To, class From> To convert_native(From x) {
  if constexpr (std::is_floating_point_v<From> && std::is_same_v<To, int32_t>) return int32_from_double(x);
  else if constexpr (std::is_floating_point_v<From> && !std::is_floating_point_v<To>)
    return static_cast<To>(int_from_double(x));
  else return static_cast<To>(x);
}

// Calls `function` with a value of the C++ type of the usual element types; false for the others.
template <class Function> bool with_native(DType type, Function function) {
  switch (type) {
    case DType::kU8: return function(uint8_t{}), true;
    case DType::kI8: return function(int8_t{}), true;
    case DType::kI32: return function(int32_t{}), true;
    case DType::kI64: return function(int64_t{}), true;
    case DType::kF32: return function(float{}), true;
    case DType::kF64: return function(double{}), true;
    default: return false;
  }
}

// The pairs that weights and activations meet; false when the pair is another one.
bool convert_fast(DType from, const void* source, DType to, void* destination, int64_t count) {
  if (from == DType::kF32 && to == DType::kF16)
    return map_elements<float, uint16_t>(source, destination, count, [](float x) { return f16_from_float(x); }), true;
  if (from == DType::kF16 && to == DType::kF32)
    return map_elements<uint16_t, float>(source, destination, count, [](uint16_t x) { return f16_to_float(x); }), true;
  if (from == DType::kF32 && to == DType::kBF16)
    return map_elements<float, uint16_t>(source, destination, count, [](float x) { return bf16_from_float(x); }), true;
  if (from == DType::kBF16 && to == DType::kF32)
    return map_elements<uint16_t, float>(source, destination, count, [](uint16_t x) { return bf16_to_float(x); }), true;
  bool done = false;
  with_native(from, [&](auto f) {
    done = with_native(to, [&](auto t) {
      map_elements<decltype(f), decltype(t)>(source, destination, count,
                                             [](decltype(f) x) { return convert_native<decltype(t)>(x); });
    });
  });
  return done;
}

bool convert_in_parallel(DType from, const void* source, DType to, void* destination, int64_t count) {
  constexpr int64_t kLeast = int64_t{1} << 18;  // elements for which a thread pays
  if (!convert_fast(from, source, to, destination, 0)) return false;
  in_parallel_ranges(count, kLeast, [&](int64_t begin, int64_t end) {
    convert_fast(from, static_cast<const char*>(source) + begin * bits(from) / 8, to,
                 static_cast<char*>(destination) + begin * bits(to) / 8, end - begin);
  });
  return true;
}

bool complex_is_zero(DType type, const void* data, int64_t index) {
  if (type == DType::kC64) return load<float>(data, 2 * index) == 0 && load<float>(data, 2 * index + 1) == 0;
  return load<double>(data, 2 * index) == 0 && load<double>(data, 2 * index + 1) == 0;
}

}  // namespace

uint8_t e8m0_from_float(float value, E8M0Rounding rounding, bool saturate) {
  return encode_e8m0(value, rounding, saturate);
}

float small_float_to_float(DType type, uint8_t bits) {
  if (type == DType::kF8E8M0) return decode_e8m0(bits);
  return static_cast<float>(decode(format_of(type), bits & (type == DType::kF4E2M1 ? 0x0f : 0xff)));
}

static uint8_t small_float_from_double(DType type, double value, bool saturate) {
  if (type == DType::kF8E8M0) return e8m0_from_float(static_cast<float>(value), E8M0Rounding::kUp, saturate);
  if (type == DType::kF4E2M1) return encode_f4(value);
  return static_cast<uint8_t>(encode(format_of(type), value, saturate));
}

uint8_t small_float_from_float(DType type, float value, bool saturate) {
  return small_float_from_double(type, value, saturate);
}

uint16_t f16_from_double(double value) { return static_cast<uint16_t>(encode(kFormatF16, value, false)); }

uint16_t bf16_from_double(double value) { return static_cast<uint16_t>(encode(kFormatBF16, value, false)); }

int64_t int_from_double(double value) {
  if (value >= -0x1p63 && value < 0x1p63) return static_cast<int64_t>(value);
  if (value >= 0x1p63 && value < 0x1p64) return static_cast<int64_t>(static_cast<uint64_t>(value));
  return std::numeric_limits<int64_t>::min();
}

double load_double(DType type, const void* data, int64_t index) {
  switch (type) {
    case DType::kU64: return static_cast<double>(load<uint64_t>(data, index));
    case DType::kF16: return f16_to_float(load<uint16_t>(data, index));
    case DType::kBF16: return bf16_to_float(load<uint16_t>(data, index));
    case DType::kF32: return load<float>(data, index);
    case DType::kF64: return load<double>(data, index);
    case DType::kF8E4M3FN:
    case DType::kF8E4M3FNUZ:
    case DType::kF8E5M2:
    case DType::kF8E5M2FNUZ:
    case DType::kF8E8M0: return small_float_to_float(type, load<uint8_t>(data, index));
    case DType::kF4E2M1: return small_float_to_float(type, load_packed(data, index, 4));
    case DType::kC64: return load<float>(data, 2 * index);
    case DType::kC128: return load<double>(data, 2 * index);
    default: return static_cast<double>(load_int(type, data, index));
  }
}

void store_double(DType type, void* data, int64_t index, double value, bool saturate) {
  switch (type) {
    case DType::kBool: return store<uint8_t>(data, index, value != 0);
    case DType::kF16: return store(data, index, f16_from_double(value));
    case DType::kBF16: return store(data, index, bf16_from_double(value));
    case DType::kF32: return store(data, index, static_cast<float>(value));
    case DType::kF64: return store(data, index, value);
    case DType::kF8E4M3FN:
    case DType::kF8E4M3FNUZ:
    case DType::kF8E5M2:
    case DType::kF8E5M2FNUZ:
    case DType::kF8E8M0: return store(data, index, small_float_from_double(type, value, saturate));
    case DType::kF4E2M1: return store_packed(data, index, 4, small_float_from_double(type, value, saturate));
    case DType::kC64: store(data, 2 * index, static_cast<float>(value)); return store(data, 2 * index + 1, 0.0f);
    case DType::kC128: store(data, 2 * index, value); return store(data, 2 * index + 1, 0.0);
    case DType::kI32: return store(data, index, int32_from_double(value));
    default: return store_int(type, data, index, int_from_double(value));
  }
}

int64_t load_int(DType type, const void* data, int64_t index) {
  switch (type) {
    case DType::kBool: return load<uint8_t>(data, index) != 0;
    case DType::kU2: return load_packed(data, index, 2);
    case DType::kI2: return sign_extend(load_packed(data, index, 2), 2);
    case DType::kU4: return load_packed(data, index, 4);
    case DType::kI4: return sign_extend(load_packed(data, index, 4), 4);
    case DType::kU8: return load<uint8_t>(data, index);
    case DType::kI8: return load<int8_t>(data, index);
    case DType::kU16: return load<uint16_t>(data, index);
    case DType::kI16: return load<int16_t>(data, index);
    case DType::kU32: return load<uint32_t>(data, index);
    case DType::kI32: return load<int32_t>(data, index);
    case DType::kU64:
    case DType::kI64: return load<int64_t>(data, index);
    default: fail_type("cannot read an integer from", type);
  }
}

void store_int(DType type, void* data, int64_t index, int64_t value) {
  if (type == DType::kString || type == DType::kInvalid) fail_type("cannot store an integer as", type);
  store_integer(type, data, index, value, false, true);
}

void store_uint(DType type, void* data, int64_t index, uint64_t value) {
  if (type == DType::kString || type == DType::kInvalid) fail_type("cannot store an integer as", type);
  store_integer(type, data, index, static_cast<int64_t>(value), true, true);
}

void convert(DType from, const void* source, DType to, void* destination, int64_t count, bool saturate) {
  if (bits(from) == 0 || bits(to) == 0) fail_type("cannot convert elements of type", bits(from) == 0 ? from : to);
  if (count <= 0) return;
  if (from == to) {
    std::memcpy(destination, source, static_cast<size_t>(*byte_size(from, count)));
    return;
  }
  if (is_complex(from) && is_complex(to)) {
    const DType part = from == DType::kC64 ? DType::kF32 : DType::kF64;
    return convert(part, source, part == DType::kF32 ? DType::kF64 : DType::kF32, destination, 2 * count);
  }
  if (convert_in_parallel(from, source, to, destination, count)) return;
  if (is_complex(from) && to == DType::kBool) {
    for (int64_t i = 0; i < count; ++i) store<uint8_t>(destination, i, !complex_is_zero(from, source, i));
  } else if (is_integer(from) || from == DType::kBool) {
    const bool unsigned_value = from == DType::kU64;
    for (int64_t i = 0; i < count; ++i)
      store_integer(to, destination, i, load_int(from, source, i), unsigned_value, saturate);
  } else {
    for (int64_t i = 0; i < count; ++i) store_double(to, destination, i, load_double(from, source, i), saturate);
  }
}

}  // namespace kiln
