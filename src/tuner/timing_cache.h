// Measured times of tactics, and the code that was compiled for them, kept between builds. Text form: a header, a line for each time, a line
// and bytes for each code, a checksum.
#pragma once
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/kept_code.h"

namespace kiln {

// What was measured, and what it counts when tactics are compared: with the cost of a switch between devices.
struct Timing {
  double milliseconds = 0, counts = 0;
  bool operator==(const Timing&) const = default;
};
// Names a choice in 64 bits.
uint64_t tactic_hash(const std::string& choice);

// One thread at a time, but for the code. Entries are sorted, so equal content gives equal bytes. Wrong times make a build choose badly; code
// runs as it stands (KeptCode), and the checksum only tells damage that is no one's intention: whoever may write a cache is trusted as who
// builds with it, or TunerOptions::keeps_code is off.
class TimingCache {
 public:
  static constexpr std::string_view kFileKind = "KILN timing cache ";  // how its bytes begin, of any version
  // Times are true for one device; `fingerprint` says which.
  explicit TimingCache(std::string fingerprint) : fingerprint_(std::move(fingerprint)) {}
  // Throws kMalformedCache when the bytes are damaged or another device's. Empty bytes give an empty cache.
  static TimingCache parse(std::span<const std::byte> bytes, const std::string& fingerprint);
  // The same of a file; throws kNotFound when there is none.
  static TimingCache load(const std::string& path, const std::string& fingerprint);
  // The fingerprint of the device that such a file says it is of; empty where it says none.
  static std::string_view device_of(std::span<const std::byte> bytes);
  std::vector<std::byte> serialize() const;

  std::optional<Timing> find(const Hash128& problem, const std::string& choice) const;
  void put(const Hash128& problem, const std::string& choice, Timing timing);
  // Takes entries and code that are not here yet. Throws kMalformedCache when the other is another device's and `ignore_mismatch` is false.
  void combine(const TimingCache& other, bool ignore_mismatch);
  // Milliseconds by "<problem> <choice>", of each problem the fastest choice of each tactic: what is worth keeping for good.
  std::map<std::string, double> fastest_of_tactics() const;
  // Takes such times where it has none of that choice. Throws kInvalidArgument for a name that is not of that form.
  void put_times(const std::map<std::string, double>& times);
  size_t size() const { return entries_.size(); }  // times
  bool is_empty() const { return entries_.empty() && code_.all().empty(); }
  // Thread-safe.
  KeptCode& code() { return code_; }
  const KeptCode& code() const { return code_; }
  // For editors. The problems with times, in order.
  std::vector<Hash128> problems() const;
  // The choice that a build takes when it measures no more, with its time: the pinned one, else the best.
  std::optional<std::pair<std::string, double>> best(const Hash128& problem) const;
  // A choice that goes before all others of the problem.
  std::optional<std::pair<std::string, double>> pinned(const Hash128& problem) const;
  // Pins the choice of that hash among those that have times, and sets its time; false when there is none.
  bool pin(const Hash128& problem, uint64_t choice_hash, double milliseconds);
  void clear() { *this = TimingCache(fingerprint_); }

 private:
  std::string fingerprint_;
  std::map<std::string, Timing> entries_;  // "<problem> <choice>"; of a pin "<problem> =<choice>"
  KeptCode code_;
};

}  // namespace kiln
