// The timing cache: round trip, damage, other devices, joining; times and code.
#include "tuner/timing_cache.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace kiln {
namespace {

Timing at(double milliseconds) { return {milliseconds, milliseconds}; }

Hash128 problem(int i) { return hash128("problem " + std::to_string(i)); }

TimingCache filled(const std::string& fingerprint, int first, int last, double scale = 1) {
  TimingCache cache(fingerprint);
  for (int i = first; i < last; ++i)
    cache.put(problem(i), "tactic.1{tile=" + std::to_string(i) + "}", at(scale * (i + 0.1)));
  return cache;
}

Code parse_code(std::span<const std::byte> bytes, const std::string& fingerprint) {
  try {
    TimingCache::parse(bytes, fingerprint);
  } catch (const Error& error) {
    EXPECT_FALSE(error.remedy().empty());
    return error.code();
  }
  return Code::kOk;
}

TEST(TimingCache, RoundTrip) {
  TimingCache cache = filled("x86-64 one", 0, 20);
  cache.put(problem(30), "a choice with spaces", {1e-9, 1.5});
  cache.put(problem(31), "", {});
  const auto bytes = cache.serialize();
  const TimingCache again = TimingCache::parse(bytes, "x86-64 one");
  EXPECT_EQ(again.size(), 22u);
  EXPECT_EQ(again.find(problem(3), "tactic.1{tile=3}"), at(3.1));
  EXPECT_EQ(again.find(problem(30), "a choice with spaces"), (Timing{1e-9, 1.5}));
  EXPECT_EQ(again.find(problem(31), ""), Timing());
  EXPECT_FALSE(again.find(problem(3), "tactic.1{tile=4}").has_value());
  EXPECT_EQ(again.serialize(), bytes);
}

TEST(TimingCache, TheFastestOfEachTacticIsKept) {
  TimingCache cache("f");
  cache.put(problem(1), "wide.1{tile=1}", at(2));
  cache.put(problem(1), "wide.1{tile=2}", at(1));
  cache.put(problem(1), "wide.1{tile=3}", at(3));
  cache.put(problem(1), "narrow.2{}", at(5));
  cache.put(problem(2), "wide.1{tile=3}", at(4));
  ASSERT_TRUE(cache.pin(problem(2), tactic_hash("wide.1{tile=3}"), 4));
  const std::map<std::string, double> kept = cache.fastest_of_tactics();
  EXPECT_EQ(kept, (std::map<std::string, double>{{problem(1).hex() + " wide.1{tile=2}", 1},
                                                 {problem(1).hex() + " narrow.2{}", 5},
                                                 {problem(2).hex() + " wide.1{tile=3}", 4}}));
  TimingCache again("f");
  again.put(problem(1), "narrow.2{}", at(0.5));
  again.put_times(kept);
  EXPECT_EQ(again.find(problem(1), "narrow.2{}"), at(0.5)) << "what it has stays";
  EXPECT_EQ(again.find(problem(1), "wide.1{tile=2}"), at(1));
  EXPECT_EQ(again.size(), 3u);
}

TEST(TimingCache, NamesThatAreNoChoicesAreRefused) {
  const std::string hex = problem(1).hex();
  for (const std::string& name : {std::string(), hex, std::string("wide.1{}"), "x" + hex + " wide.1{}",
                                  hex + " wide\n.1{}", hex + " =wide.1{}"}) {
    TimingCache cache("f");
    EXPECT_THROW(cache.put_times({{name, 1}}), Error) << name;
    EXPECT_EQ(cache.size(), 0u);
  }
}

TEST(TimingCache, PinsGoBeforeTimes) {
  TimingCache cache("f");
  cache.put(problem(1), "slow", at(2));
  cache.put(problem(1), "fast", at(1));
  cache.put(problem(1), "another device's", {0.5, 1.525});  // not faster by enough
  cache.put(problem(2), "only", at(3));
  EXPECT_EQ(cache.problems().size(), 2u);
  EXPECT_EQ(cache.best(problem(1)), (std::pair<std::string, double>("fast", 1)));
  EXPECT_FALSE(cache.pinned(problem(1)));
  ASSERT_TRUE(cache.pin(problem(1), tactic_hash("slow"), 7));
  ASSERT_TRUE(cache.pin(problem(1), tactic_hash("fast"), 6));
  ASSERT_TRUE(cache.pin(problem(1), tactic_hash("slow"), 5));
  EXPECT_EQ(cache.pinned(problem(1)), (std::pair<std::string, double>("slow", 5)));
  EXPECT_EQ(cache.best(problem(1))->first, "slow");
  EXPECT_EQ(cache.find(problem(1), "slow"), at(5));
  EXPECT_FALSE(cache.pin(problem(1), tactic_hash("unheard"), 1));
  EXPECT_FALSE(cache.pin(problem(3), tactic_hash("slow"), 1));
  EXPECT_FALSE(cache.best(problem(3)));
  EXPECT_EQ(cache.problems().size(), 2u);
  const TimingCache again = TimingCache::parse(cache.serialize(), "f");
  EXPECT_EQ(again.pinned(problem(1)), cache.pinned(problem(1)));
  EXPECT_FALSE(again.pinned(problem(2)));
  EXPECT_EQ(Hash128::parse(problem(1).hex()), problem(1));
  EXPECT_FALSE(Hash128::parse("12"));
  EXPECT_FALSE(Hash128::parse(std::string(32, 'x')));
}

TEST(TimingCache, OrderOfEntriesDoesNotMatter) {
  TimingCache a("f"), b("f");
  for (int i = 0; i < 9; ++i) {
    a.put(problem(i), "t", at(i));
    b.put(problem(8 - i), "t", at(8 - i));
  }
  EXPECT_EQ(a.serialize(), b.serialize());
}

TEST(TimingCache, NothingIsAnEmptyCache) {
  EXPECT_EQ(TimingCache::parse({}, "f").size(), 0u);
  EXPECT_EQ(TimingCache::parse(TimingCache("f").serialize(), "f").size(), 0u);
}

KeptCode::Binary code_of(std::string_view text) {
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  return std::make_shared<const std::vector<std::byte>>(bytes, bytes + text.size());
}

// As if it had been written so.
std::vector<std::byte> with_checksum(const std::string& text) {
  const std::string all = text + "checksum " + std::to_string(checksum64(text.data(), text.size())) + "\n";
  return *code_of(all);
}

TEST(TimingCache, CodeIsKept) {
  TimingCache cache = filled("f", 0, 3);
  EXPECT_FALSE(cache.is_empty());
  cache.code().put(problem(1), code_of(std::string("any\nbytes\0code 1\nchecksum 1\n", 28)));
  cache.code().put(problem(2), code_of("\n"));
  const auto bytes = cache.serialize();
  TimingCache again = TimingCache::parse(bytes, "f");
  EXPECT_EQ(again.size(), 3u);
  ASSERT_EQ(again.code().all().size(), 2u);
  EXPECT_EQ(*again.code().find(problem(1)), *cache.code().find(problem(1)));
  EXPECT_EQ(*again.code().find(problem(2)), *cache.code().find(problem(2)));
  EXPECT_EQ(again.serialize(), bytes);
  again.clear();
  EXPECT_TRUE(again.is_empty());
  EXPECT_EQ(again.serialize(), TimingCache("f").serialize());
  again.code().put(problem(1), code_of("alone"));
  EXPECT_FALSE(again.is_empty());
}

TEST(TimingCache, CodeOfOthersIsAdded) {
  TimingCache a("f"), b("f"), other("g");
  a.code().put(problem(1), code_of("here"));
  b.code().put(problem(1), code_of("there"));
  b.code().put(problem(2), code_of("new"));
  other.code().put(problem(3), code_of("elsewhere"));
  a.combine(b, false);
  EXPECT_EQ(*a.code().find(problem(1)), *code_of("here"));
  EXPECT_EQ(*a.code().find(problem(2)), *code_of("new"));
  EXPECT_THROW(a.combine(other, false), Error);
  EXPECT_EQ(a.code().find(problem(3)), nullptr);
}

TEST(TimingCache, LinesThatAreNoCodeAreDamage) {
  const std::string start = "KILN timing cache 3\nf\n", hash = problem(1).hex();
  EXPECT_EQ(parse_code(with_checksum(start + "code " + hash + " 3\nabc\n"), "f"), Code::kOk);
  for (const std::string& bad :
       {"code " + hash + " 2\nabc\n", "code " + hash + " 4\nabc\n", "code " + hash + " 5\nabc\n",
        "code " + hash + " 0\n\n", "code " + hash + " 3.0\nabc\n", "code " + hash + " 18446744073709551615\nabc\n",
        "code " + hash + " 1e300\nabc\n", "code " + hash + " -3\nabc\n", "code " + hash + "\nabc\n",
        std::string("code 12 3\nabc\n"), std::string("code  3\nabc\n"), std::string("code \n"), std::string("code"),
        "code " + std::string(32, 'x') + " 3\nabc\n", "code " + hash + " 3\nabc\ncode " + hash + " 3\nabc\n",
        "code " + hash + " " + std::to_string(KeptCode::kMostBytes + 1) + "\n" +
            std::string(KeptCode::kMostBytes + 1, 'x') + "\n"})
    EXPECT_EQ(parse_code(with_checksum(start + bad), "f"), Code::kMalformedCache) << bad.substr(0, 100);
}

TEST(TimingCache, OfAnotherVersion) {
  EXPECT_EQ(parse_code(with_checksum("KILN timing cache 2\nf\n"), "f"), Code::kMalformedCache);
  const std::string model = "a model";
  try {
    TimingCache::parse(std::as_bytes(std::span(model)), "f");
    FAIL() << "a model is taken for a timing cache";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kMalformedCache);
    EXPECT_EQ(e.remedy().find("delete"), std::string::npos) << "what is no cache is somebody's: " << e.remedy();
  }
}

TEST(TimingCache, DamageAtEveryPosition) {
  TimingCache cache = filled("x86-64 one", 0, 5);
  cache.code().put(problem(1), code_of("code"));
  const auto bytes = cache.serialize();
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      auto damaged = bytes;
      damaged[i] ^= std::byte(1 << bit);
      EXPECT_EQ(parse_code(damaged, "x86-64 one"), Code::kMalformedCache) << "byte " << i << " bit " << bit;
    }
    if (i == 0) continue;
    EXPECT_EQ(parse_code(std::span(bytes).first(i), "x86-64 one"), Code::kMalformedCache) << "length " << i;
  }
  auto longer = bytes;
  longer.push_back(std::byte{'\n'});
  EXPECT_EQ(parse_code(longer, "x86-64 one"), Code::kMalformedCache);
}

TEST(TimingCache, OfAnotherDevice) {
  const auto bytes = filled("x86-64 one", 0, 5).serialize();
  EXPECT_EQ(parse_code(bytes, "x86-64 two"), Code::kMalformedCache);
  EXPECT_EQ(parse_code(bytes, "x86-64 one"), Code::kOk);
}

TEST(TimingCache, Combine) {
  TimingCache a = filled("f", 0, 4), b = filled("f", 2, 6, 10), other = filled("g", 6, 7);
  a.combine(b, false);
  EXPECT_EQ(a.size(), 6u);
  EXPECT_EQ(a.find(problem(3), "tactic.1{tile=3}"), at(3.1));  // what is here stays
  EXPECT_EQ(a.find(problem(5), "tactic.1{tile=5}"), at(51.0));
  EXPECT_THROW(a.combine(other, false), Error);
  EXPECT_EQ(a.size(), 6u);
  a.combine(other, true);
  EXPECT_EQ(a.size(), 7u);
}

}  // namespace
}  // namespace kiln
