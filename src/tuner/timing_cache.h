// Measured times of tactics, kept between builds. Text form: a header, one line per entry, a checksum.
#pragma once
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/hash.h"

namespace kiln {

// One thread at a time. Entries are sorted, so equal content gives equal bytes.
class TimingCache {
 public:
  // Times are true for one device; `fingerprint` says which.
  explicit TimingCache(std::string fingerprint) : fingerprint_(std::move(fingerprint)) {}
  // Throws kMalformedCache when the bytes are damaged or another device's. Empty bytes give an empty cache.
  static TimingCache parse(std::span<const std::byte> bytes, const std::string& fingerprint);
  std::vector<std::byte> serialize() const;

  std::optional<double> find(const Hash128& problem, const std::string& choice) const;  // milliseconds
  void put(const Hash128& problem, const std::string& choice, double milliseconds);
  // Takes entries that are not here yet. Throws kMalformedCache when the other is another device's and `ignore_mismatch` is false.
  void combine(const TimingCache& other, bool ignore_mismatch);
  size_t size() const { return entries_.size(); }
  void clear() { entries_.clear(); }

 private:
  std::string fingerprint_;
  std::map<std::string, double> entries_;  // "<problem> <choice>"
};

}  // namespace kiln
