// Profiles of devices as files: what is written is read, and what is wrong says so.
#include "target/device_facts.h"

#include <gtest/gtest.h>

namespace kiln {
namespace {

DeviceProfile sample() {
  DeviceProfile p{"tpu", 3, {}};
  p.facts = {.name = "Device \"7\" é",
             .fingerprint = "tpu v7, driver 12",
             .memory = int64_t{1} << 40,
             .cache = 50 << 20,
             .units = 132,
             .bytes_per_second = 4.1766e12,
             .operations_per_second = {{DType::kF16, 9.895e14}, {DType::kF32, 6.69e13}, {DType::kI8, 0}},
             .alignment = 256,
             .host_memory = false,
             .switch_milliseconds = 1,
             .switch_factor = 1.05};
  return p;
}

DeviceProfile parse(const std::string& text) { return parse_device_profile(std::as_bytes(std::span(text)), "f.json"); }

std::string error_of(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kInvalidArgument);
    EXPECT_NE(e.remedy(), "");
    EXPECT_NE(e.message().find("'f.json'"), std::string::npos);
    return e.message();
  }
  return "";
}

std::string replaced(const std::string& from, const std::string& to) {
  std::string text = device_profile_text(sample());
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(DeviceFacts, WhatIsWrittenIsRead) {
  const DeviceProfile want = sample(), got = parse(device_profile_text(want));
  EXPECT_EQ(got.back_end, want.back_end);
  EXPECT_EQ(got.ordinal, 3);
  EXPECT_EQ(got.facts.name, want.facts.name);
  EXPECT_EQ(got.facts.fingerprint, want.facts.fingerprint);
  EXPECT_EQ(got.facts.memory, want.facts.memory);
  EXPECT_EQ(got.facts.cache, want.facts.cache);
  EXPECT_EQ(got.facts.units, want.facts.units);
  EXPECT_EQ(got.facts.bytes_per_second, want.facts.bytes_per_second);
  EXPECT_EQ(got.facts.operations_per_second, want.facts.operations_per_second);
  EXPECT_EQ(got.facts.alignment, 256);
  EXPECT_FALSE(got.facts.host_memory);
  EXPECT_EQ(got.facts.switch_milliseconds, 1);
  EXPECT_EQ(got.facts.switch_factor, 1.05);
  EXPECT_EQ(device_profile_text(got), device_profile_text(want));
}

TEST(DeviceFacts, WhatIsWrongSaysSo) {
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {"\"memory\": 1099511627776", "\"memory\": -1", "'memory' is not an integer from 0"},
      {"\"memory\": 1099511627776", "\"memory\": 18446744073709551615", "'memory' is not an integer"},
      {"\"memory\": 1099511627776", "\"memory\": 1e40", "'memory' is not an integer"},
      {"\"memory\": 1099511627776", "\"memory\": \"much\"", "'memory' is not an integer"},
      {"\"memory\"", "\"memroy\"", "there is no 'memory'"},
      {"\"memory\": ", "\"speed\": 1, \"memory\": ", "nothing is called 'speed'"},
      {"\"units\": 132", "\"units\": 0", "'units' is not an integer from 1"},
      {"\"alignment\": 256", "\"alignment\": 96", "'alignment' is not a power of two"},
      {"\"alignment\": 256", "\"alignment\": 0", "'alignment' is not an integer from 1"},
      {"\"host_memory\": false", "\"host_memory\": 0", "'host_memory' is neither true nor false"},
      {"\"float16\"", "\"float17\"", "'float17' is no element type"},
      {"\"int8\": 0.0", "\"int8\": -1", "'int8' is not a number from 0"},
      {"\"int8\": 0.0", "\"int8\": 1e300", "'int8' is not a number from 0"},
      {"\"ordinal\": 3", "\"ordinal\": 3000000000", "'ordinal' is not an integer"},
      {"kiln device profile 1", "kiln device profile 2", "its 'kind' is not"},
      {"\"backend\": \"tpu\"", "\"backend\": \"" + std::string(2000, 'x') + "\"", "'backend' is not a text of at most"},
  };
  for (const auto& [from, to, message] : cases)
    EXPECT_NE(error_of(replaced(from, to)).find(message), std::string::npos) << from << " -> " << to;
}

TEST(DeviceFacts, WhatIsNoProfileIsRefused) {
  EXPECT_NE(error_of("").find("no JSON object"), std::string::npos);
  for (const std::string text : {"[]", "null", "{", "17", "\"text\"", "\x01\x02\xff", "{}"})
    EXPECT_NE(error_of(text), "") << text;
  EXPECT_NE(error_of(std::string(100000, '[')), "");
  EXPECT_NE(error_of(std::string((1 << 20) + 1, ' ')).find("larger than 1 MiB"), std::string::npos);
  const std::string whole = device_profile_text(sample());
  for (size_t n = 0; n + 2 < whole.size(); n += 7) EXPECT_NE(error_of(whole.substr(0, n)), "") << n;
}

}  // namespace
}  // namespace kiln
