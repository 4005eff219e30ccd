// Measured times of tactics, kept between builds. Text form: a header, one line per entry, a checksum.
#pragma once
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hash.h"

namespace kiln {

// What was measured, and what it counts when tactics are compared: with the cost of a switch between devices.
struct Timing {
  double milliseconds = 0, counts = 0;
  bool operator==(const Timing&) const = default;
};
// Names a choice in 64 bits.
uint64_t tactic_hash(const std::string& choice);

// One thread at a time. Entries are sorted, so equal content gives equal bytes.
class TimingCache {
 public:
  static constexpr std::string_view kFileKind = "KILN timing cache 2\n";  // how its bytes begin
  // Times are true for one device; `fingerprint` says which.
  explicit TimingCache(std::string fingerprint) : fingerprint_(std::move(fingerprint)) {}
  // Throws kMalformedCache when the bytes are damaged or another device's. Empty bytes give an empty cache.
  static TimingCache parse(std::span<const std::byte> bytes, const std::string& fingerprint);
  std::vector<std::byte> serialize() const;

  std::optional<Timing> find(const Hash128& problem, const std::string& choice) const;
  void put(const Hash128& problem, const std::string& choice, Timing timing);
  // Takes entries that are not here yet. Throws kMalformedCache when the other is another device's and `ignore_mismatch` is false.
  void combine(const TimingCache& other, bool ignore_mismatch);
  // Milliseconds by "<problem> <choice>", of each problem the fastest choice of each tactic: what is worth keeping for good.
  std::map<std::string, double> fastest_of_tactics() const;
  // Takes such times where it has none of that choice. Throws kInvalidArgument for a name that is not of that form.
  void put_times(const std::map<std::string, double>& times);
  size_t size() const { return entries_.size(); }
  // For editors. The problems with times, in order.
  std::vector<Hash128> problems() const;
  // The choice that a build takes when it measures no more, with its time: the pinned one, else the best.
  std::optional<std::pair<std::string, double>> best(const Hash128& problem) const;
  // A choice that goes before all others of the problem.
  std::optional<std::pair<std::string, double>> pinned(const Hash128& problem) const;
  // Pins the choice of that hash among those that have times, and sets its time; false when there is none.
  bool pin(const Hash128& problem, uint64_t choice_hash, double milliseconds);
  void clear() { entries_.clear(); }

 private:
  std::string fingerprint_;
  std::map<std::string, Timing> entries_;  // "<problem> <choice>"; of a pin "<problem> =<choice>"
};

}  // namespace kiln
