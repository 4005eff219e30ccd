// Conversions against numpy, ml_dtypes and the ONNX reference: every value of the types of 16 bits and fewer, and a
// million random bit patterns with all boundaries of the wider ones.
#include "tensor/convert.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <complex>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <random>
#include <vector>

#include "base/error.h"
#include "base/file_map.h"

namespace kiln {
namespace {

using Bytes = std::vector<uint8_t>;

std::vector<DType> plain_types() {
  std::vector<DType> types;
  for (int i = 1; i < kDTypeCount; ++i)
    if (auto t = static_cast<DType>(i); bits(t) > 0 && !is_complex(t)) types.push_back(t);
  return types;
}

size_t unpacked_size(DType type) { return bits(type) < 8 ? 1 : static_cast<size_t>(bits(type)) / 8; }

template <class T> void append(Bytes& bytes, T value) {
  const auto* p = reinterpret_cast<const uint8_t*>(&value);
  bytes.insert(bytes.end(), p, p + sizeof value);
}

template <class Real> void append_around(Bytes& bytes, Real value) {
  for (Real sign : {Real(1), Real(-1)}) {
    const Real v = sign * value, infinity = std::numeric_limits<Real>::infinity();
    for (Real x : {v, std::nextafter(v, infinity), std::nextafter(v, -infinity)}) append(bytes, x);
  }
}

// Every value of the smaller formats, the midpoints between them, powers of two, and the neighbours of all of these.
template <class Real> void append_boundaries(Bytes& bytes) {
  for (uint32_t code = 0; code < 0x7f80; ++code) {
    const Real here = bf16_to_float(static_cast<uint16_t>(code)), next = bf16_to_float(static_cast<uint16_t>(code + 1));
    append_around(bytes, here);
    if (code % 16 == 0 && std::isfinite(next)) append_around(bytes, here + (next - here) / 2);
  }
  for (uint32_t code = 0; code < 0x7c00; ++code) {
    const Real here = f16_to_float(static_cast<uint16_t>(code)),
               next = code == 0x7bff ? Real(65536) : f16_to_float(static_cast<uint16_t>(code + 1));
    append_around(bytes, here + (next - here) / 2);
  }
  for (DType type : {DType::kF8E4M3FN, DType::kF8E4M3FNUZ, DType::kF8E5M2, DType::kF8E5M2FNUZ, DType::kF4E2M1}) {
    for (int code = 0; code < (type == DType::kF4E2M1 ? 7 : 127); ++code) {
      const Real here = small_float_to_float(type, static_cast<uint8_t>(code)),
                 next = small_float_to_float(type, static_cast<uint8_t>(code + 1));
      if (!std::isfinite(here)) continue;
      append_around(bytes, here);
      append_around(bytes, std::isfinite(next) ? here + (next - here) / 2 : here * Real(1.0625));
    }
  }
  for (Real v : {Real(464), Real(480), Real(248), Real(61440), Real(5), Real(6), Real(7), Real(0), Real(2147483648.0),
                 Real(4294967296.0)})
    append_around(bytes, v);
  for (int e = -149; e < 128; ++e)
    append_around(bytes, std::ldexp(Real(1), e)), append_around(bytes, std::ldexp(Real(1.5), e));
  append_around(bytes, std::numeric_limits<Real>::max());
  for (Real v : {std::numeric_limits<Real>::infinity(), std::numeric_limits<Real>::quiet_NaN()})
    append(bytes, v), append(bytes, -v);
}

template <class Bits> Bytes wide_source(size_t random_count) {
  Bytes bytes;
  std::mt19937_64 random(7);
  for (size_t i = 0; i < random_count; ++i) {
    // Half of the integers have few bits, so that every magnitude occurs.
    const auto value =
        static_cast<Bits>(random() >> (i % 2 ? random() % (8 * sizeof(Bits)) + (64 - 8 * sizeof(Bits)) : 0));
    append(bytes, i % 4 == 3 ? static_cast<Bits>(~value) : value);
  }
  return bytes;
}

Bytes source(DType type) {
  Bytes bytes;
  if (type == DType::kBool) return {0, 1};
  if (bits(type) <= 8) {
    for (int code = 0; code < 1 << bits(type); ++code) {
      // A signed sub-byte element in a byte of its own carries its sign.
      const int extended = is_signed_integer(type) && bits(type) < 8 && code >> (bits(type) - 1)
                               ? code | ~((1 << bits(type)) - 1)
                               : code;
      bytes.push_back(static_cast<uint8_t>(extended));
    }
    return bytes;
  }
  if (bits(type) == 16) {
    for (int code = 0; code < 65536; ++code) append(bytes, static_cast<uint16_t>(code));
    return bytes;
  }
  bytes = bits(type) == 32 ? wide_source<uint32_t>(1000000) : wide_source<uint64_t>(300000);
  if (type == DType::kF32) append_boundaries<float>(bytes);
  if (type == DType::kF64) {
    append_boundaries<double>(bytes);
    // Just beside the midpoints of the small formats, where rounding twice goes wrong.
    Bytes floats;
    append_boundaries<float>(floats);
    for (size_t i = 0; i + 4 <= floats.size(); i += 4) {
      float f;
      std::memcpy(&f, floats.data() + i, 4);
      append_around(bytes, static_cast<double>(f));
    }
  }
  return bytes;
}

Bytes packed(DType type, const Bytes& unpacked) {
  if (bits(type) >= 8) return unpacked;
  Bytes out(static_cast<size_t>(*byte_size(type, static_cast<int64_t>(unpacked.size()))));
  const size_t per_byte = 8 / static_cast<size_t>(bits(type));
  for (size_t i = 0; i < unpacked.size(); ++i)
    out[i / per_byte] =
        static_cast<uint8_t>(out[i / per_byte] | (unpacked[i] & ((1 << bits(type)) - 1))
                                                     << (i % per_byte * static_cast<size_t>(bits(type))));
  return out;
}

uint64_t element_bits(DType type, const Bytes& packed_bytes, size_t i) {
  if (bits(type) < 8) {
    const size_t per_byte = 8 / static_cast<size_t>(bits(type));
    return (packed_bytes[i / per_byte] >> (i % per_byte * static_cast<size_t>(bits(type)))) & ((1u << bits(type)) - 1);
  }
  uint64_t value = 0;
  std::memcpy(&value, packed_bytes.data() + i * unpacked_size(type), unpacked_size(type));
  return value;
}

// Outside the range of an integer type ONNX leaves the result open.
bool fits(DType type, double value) {
  if (!is_integer(type)) return true;
  const bool is_signed = is_signed_integer(type);
  const double high = std::ldexp(1.0, bits(type) - (is_signed ? 1 : 0)), low = is_signed ? -high : 0;
  return std::trunc(value) >= low && std::trunc(value) < high;
}

bool is_wide_nan(DType type, uint64_t code) {
  if (type == DType::kF16) return (code & 0x7fff) > 0x7c00;
  if (type == DType::kF32) return (code & 0x7fffffff) > 0x7f800000;
  return type == DType::kF64 && (code & ~(uint64_t{1} << 63)) > 0x7ff0000000000000u;
}

// NaNs of numpy's own types need the sign only: hardware makes them quiet, numpy does not always.
bool agree(DType type, uint64_t expected, uint64_t got) {
  if (expected == got) return true;
  return is_wide_nan(type, expected) && is_wide_nan(type, got) &&
         expected >> (bits(type) - 1) == got >> (bits(type) - 1);
}

class Reference : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / ("kiln_convert_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    for (DType type : plain_types()) {
      const Bytes bytes = source(type);
      write_file(path(std::string(name(type)) + ".in"), std::as_bytes(std::span(bytes)));
    }
    const std::string command =
        std::string(KILN_PYTHON) + " " + KILN_SOURCE_DIR + "/tests/tensor/reference_conversions.py " + folder_.string();
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& file) const { return (folder_ / file).string(); }

  void compare(DType from, const Bytes& unpacked, DType to, bool saturate) const {
    const std::string label = std::string(name(from)) + "." + std::string(name(to)) + "." + (saturate ? "1" : "0");
    const Bytes input = packed(from, unpacked);
    const size_t count = unpacked.size() / unpacked_size(from);
    const auto map = FileMap::open(path(label));
    ASSERT_EQ(map->bytes().size(), count * unpacked_size(to)) << label;
    const auto* first = reinterpret_cast<const uint8_t*>(map->bytes().data());
    const Bytes expected = packed(to, Bytes(first, first + map->bytes().size()));
    Bytes got(expected.size());
    convert(from, input.data(), to, got.data(), static_cast<int64_t>(count), saturate);
    int failures = 0;
    for (size_t i = 0; i < count && failures < 3; ++i) {
      if (is_float(from) && !fits(to, load_double(from, input.data(), static_cast<int64_t>(i)))) continue;
      const uint64_t want = element_bits(to, expected, i), have = element_bits(to, got, i);
      if (agree(to, want, have)) continue;
      ++failures;
      ADD_FAILURE() << label << ": " << std::hex << element_bits(from, input, i) << " ("
                    << load_double(from, input.data(), static_cast<int64_t>(i)) << ") gives " << have << ", reference "
                    << want;
    }
  }

  std::filesystem::path folder_;
};

TEST_F(Reference, EveryPairOfTypes) {
  for (DType from : plain_types()) {
    const Bytes input = source(from);
    for (DType to : plain_types()) {
      compare(from, input, to, true);
      if (name(to).starts_with("float8")) compare(from, input, to, false);
    }
  }
}

TEST(Convert, ElementAccessAgreesWithArrays) {
  std::mt19937_64 random(3);
  for (DType from : plain_types()) {
    Bytes input(64);
    for (uint8_t& b : input) b = from == DType::kBool ? random() % 2 : static_cast<uint8_t>(random());
    const int64_t count = 64 * 8 / bits(from);
    for (DType to : plain_types()) {
      Bytes whole(2048), single(2048);
      convert(from, input.data(), to, whole.data(), count);
      for (int64_t i = 0; i < count; ++i) {
        if (from == DType::kU64) {
          store_uint(to, single.data(), i, static_cast<uint64_t>(load_int(from, input.data(), i)));
        } else if (is_integer(from) || from == DType::kBool) {
          store_int(to, single.data(), i, load_int(from, input.data(), i));
        } else {
          store_double(to, single.data(), i, load_double(from, input.data(), i));
        }
      }
      for (int64_t i = 0; i < count; ++i) {
        const auto index = static_cast<size_t>(i);
        EXPECT_TRUE(agree(to, element_bits(to, whole, index), element_bits(to, single, index)) ||
                    (from == to && is_float(to)))
            << name(from) << " to " << name(to) << " element " << i;
      }
    }
  }
}

TEST(Convert, SubByteStoresLeaveTheirNeighboursAlone) {
  for (DType type : {DType::kU2, DType::kI2, DType::kU4, DType::kI4, DType::kF4E2M1}) {
    Bytes bytes(3, 0xff);
    store_int(type, bytes.data(), 2, 0);
    const int64_t count = 24 / bits(type);
    for (int64_t i = 0; i < count; ++i)
      EXPECT_EQ(load_double(type, bytes.data(), i) == 0, i == 2) << name(type) << " " << i;
    EXPECT_EQ(bytes[2], 0xff);
  }
}

TEST(Convert, OddCountsOfPackedElements) {
  for (int64_t count : {0, 1, 2, 3, 5, 63, 64, 65, 129}) {
    std::vector<float> values(static_cast<size_t>(count));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7);
    Bytes packed4(static_cast<size_t>(*byte_size(DType::kI4, count)) + 1, 0xaa), half(values.size() * 2);
    convert(DType::kF32, values.data(), DType::kI4, packed4.data(), count);
    EXPECT_EQ(packed4.back(), 0xaa);
    std::vector<float> back(values.size());
    convert(DType::kI4, packed4.data(), DType::kF32, back.data(), count);
    EXPECT_EQ(back, values);
    convert(DType::kF32, values.data(), DType::kF16, half.data(), count);
    convert(DType::kF16, half.data(), DType::kF32, back.data(), count);
    EXPECT_EQ(back, values);
  }
}

TEST(Convert, Complex) {
  const std::vector<std::complex<double>> z = {{1.5, -2}, {0, 3}, {0, 0}};
  std::vector<std::complex<float>> narrow(3);
  convert(DType::kC128, z.data(), DType::kC64, narrow.data(), 3);
  EXPECT_EQ(narrow[0], std::complex<float>(1.5f, -2));
  std::vector<int32_t> real(3);
  convert(DType::kC64, narrow.data(), DType::kI32, real.data(), 3);
  EXPECT_EQ(real, (std::vector<int32_t>{1, 0, 0}));
  std::vector<uint8_t> truth(3);
  convert(DType::kC128, z.data(), DType::kBool, truth.data(), 3);
  EXPECT_EQ(truth, (std::vector<uint8_t>{1, 1, 0}));
  std::vector<std::complex<double>> wide(3);
  convert(DType::kI32, real.data(), DType::kC128, wide.data(), 3);
  EXPECT_EQ(wide[0], std::complex<double>(1, 0));
}

TEST(Convert, E8M0RoundingModes) {
  using R = E8M0Rounding;
  EXPECT_EQ(e8m0_from_float(1.0f, R::kUp), 127);
  EXPECT_EQ(e8m0_from_float(1.01f, R::kUp), 128);
  EXPECT_EQ(e8m0_from_float(1.99f, R::kDown), 127);
  EXPECT_EQ(e8m0_from_float(1.49f, R::kNearest), 127);
  EXPECT_EQ(e8m0_from_float(1.5f, R::kNearest), 128);
  EXPECT_EQ(e8m0_from_float(0x1p-127f, R::kUp), 0);
  EXPECT_EQ(e8m0_from_float(0x1.8p-127f, R::kUp), 1);
  EXPECT_EQ(e8m0_from_float(0x1.8p-127f, R::kDown), 0);
  EXPECT_EQ(e8m0_from_float(0x1.4p-127f, R::kNearest), 0);
  EXPECT_EQ(e8m0_from_float(0x1.8p-127f, R::kNearest), 1);
  EXPECT_EQ(e8m0_from_float(0, R::kUp), 0);
  EXPECT_EQ(e8m0_from_float(0, R::kNearest, false), 0xff);
  EXPECT_EQ(e8m0_from_float(3e38f, R::kUp), 0xfe);
  EXPECT_EQ(e8m0_from_float(3e38f, R::kUp, false), 0xff);
  EXPECT_EQ(e8m0_from_float(-1, R::kUp), 0xff);
}

TEST(Convert, RoundsDoublesOnce) {
  EXPECT_EQ(bf16_from_double(1 + 0x1p-8 + 0x1p-40), 0x3f81);
  EXPECT_EQ(f16_from_double(1 + 0x1p-11 + 0x1p-40), 0x3c01);
  EXPECT_EQ(f16_from_double(65520), 0x7c00);
  EXPECT_EQ(f16_from_double(65519.999), 0x7bff);
  EXPECT_EQ(f16_from_double(-0x1p-25), 0x8000);
  EXPECT_EQ(f16_from_double(0x1.0000001p-25), 0x0001);
}

TEST(Convert, FloatsOutsideIntegerTypesGiveAFixedValue) {
  const double inputs[] = {std::nan(""), 1e300, -1e300, std::numeric_limits<double>::infinity()};
  for (double x : inputs) {
    int32_t narrow = 0;
    int64_t wide = 0;
    convert(DType::kF64, &x, DType::kI32, &narrow, 1);
    convert(DType::kF64, &x, DType::kI64, &wide, 1);
    EXPECT_EQ(narrow, INT32_MIN);
    EXPECT_EQ(wide, INT64_MIN);
  }
}

TEST(Convert, ManyElementsAreConvertedAsFewAre) {
  constexpr int64_t kCount = (int64_t{1} << 20) + 37, kFew = 1000;
  std::vector<float> values(kCount);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 70001) * 1.37f - 30000;
  for (DType to : {DType::kF16, DType::kBF16, DType::kF64, DType::kI32, DType::kU8}) {
    const auto bytes = static_cast<size_t>(bits(to) / 8);
    std::vector<std::byte> all(kCount * bytes), parts(kCount * bytes);
    convert(DType::kF32, values.data(), to, all.data(), kCount);
    for (int64_t i = 0; i < kCount; i += kFew)
      convert(DType::kF32, values.data() + i, to, parts.data() + static_cast<size_t>(i) * bytes,
              std::min(kFew, kCount - i));
    EXPECT_EQ(all, parts) << name(to);
  }
}

TEST(Convert, RefusesTypesWithoutSize) {
  char data[8] = {};
  EXPECT_THROW(convert(DType::kString, data, DType::kF32, data, 1), Error);
  EXPECT_THROW(convert(DType::kF32, data, DType::kInvalid, data, 1), Error);
  EXPECT_THROW(load_int(DType::kF32, data, 0), Error);
  EXPECT_THROW(small_float_to_float(DType::kF32, 0), Error);
}

}  // namespace
}  // namespace kiln
