// Reading and writing of timing caches.
#include "tuner/timing_cache.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/file_map.h"
#include "tuner/no_time.h"

namespace kiln {
namespace {

constexpr std::string_view kVersion = "3\n";
constexpr std::string_view kCodeTag = "code ";
constexpr std::string_view kSumTag = "checksum ";

constexpr const char* kPin = "=";

std::string first_line() { return std::string(TimingCache::kFileKind) + std::string(kVersion); }

[[noreturn]] void damaged(const char* cause) {
  throw Error(Code::kMalformedCache, "the timing cache is damaged")
      .cause(cause)
      .remedy("delete the file; the next build makes it again");
}

std::string_view take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) damaged("a line does not end");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

// The number behind the last space of the line, which it cuts off.
double take_number(std::string_view& line) {
  const size_t space = line.rfind(' ');
  if (space == std::string_view::npos) damaged("an entry has no time");
  double number = 0;
  const auto [end, error] = std::from_chars(line.data() + space + 1, line.data() + line.size(), number);
  if (error != std::errc() || end != line.data() + line.size() || !std::isfinite(number) || number < 0)
    damaged("a time is not a number");
  line = line.substr(0, space);
  return number;
}

std::string code_line(const Hash128& made_of, size_t size) {
  return std::string(kCodeTag) + made_of.hex() + " " + std::to_string(size);
}

// The code behind its line.
void take_code(std::string_view line, std::string_view& text, KeptCode& code) {
  const std::string_view hex = line.substr(kCodeTag.size(), Hash128().hex().size());
  const Hash128 made_of = Hash128::parse(hex).value_or(Hash128());
  std::string_view rest = line;
  const double size = take_number(rest);
  if (size < 1 || size >= static_cast<double>(text.size())) damaged("a code does not end");
  const auto end = static_cast<size_t>(size);
  if (line != code_line(made_of, end) || text[end] != '\n') damaged("a line is none of a code");
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  if (!code.add(made_of, std::make_shared<const std::vector<std::byte>>(bytes, bytes + end)))
    damaged("there is a code twice, or more than is kept");
  text.remove_prefix(end + 1);
}

std::string text_of(double number) {
  char text[64];
  return std::string(text, std::to_chars(text, text + sizeof text, number).ptr);
}

}  // namespace

uint64_t tactic_hash(const std::string& choice) { return checksum64(choice.data(), choice.size()); }

std::string_view TimingCache::device_of(std::span<const std::byte> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(first_line())) return {};
  text.remove_prefix(first_line().size());
  return text.substr(0, text.find('\n'));
}

TimingCache TimingCache::parse(std::span<const std::byte> bytes, const std::string& fingerprint) {
  TimingCache cache(fingerprint);
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.empty()) return cache;
  const std::string magic = first_line();
  if (!text.starts_with(kFileKind))
    throw Error(Code::kMalformedCache, "this is not a timing cache")
        .cause("it does not begin with \"" + std::string(kFileKind) + "\"")
        .remedy("give another path, or what a build of Kiln wrote");
  if (!text.starts_with(magic)) damaged("it does not begin with the words of a timing cache of this version");
  const size_t sum_at = text.rfind(kSumTag);
  if (sum_at == std::string_view::npos || sum_at < magic.size()) damaged("it has no checksum");
  std::string_view sum_line = text.substr(sum_at);
  const std::string expected = std::string(kSumTag) + std::to_string(checksum64(text.data(), sum_at)) + "\n";
  if (sum_line != expected) damaged("the checksum is wrong");
  std::string_view body = text.substr(magic.size(), sum_at - magic.size());
  const std::string_view device = take_line(body);
  if (device != fingerprint)
    throw Error(Code::kMalformedCache, "the timing cache is another device's")
        .cause("it was measured on " + std::string(device) + "; this is " + fingerprint)
        .remedy("use another cache file");
  while (!body.empty()) {
    std::string_view line = take_line(body);
    if (line.starts_with(kCodeTag)) {
      take_code(line, body, cache.code_);
      continue;
    }
    const double counts = take_number(line), milliseconds = take_number(line);
    cache.entries_.emplace(line, Timing{milliseconds, counts});
  }
  return cache;
}

TimingCache TimingCache::load(const std::string& path, const std::string& fingerprint) {
  const auto file = FileMap::open(path);
  try {
    return parse(file->bytes(), fingerprint);
  } catch (const Error& e) {
    throw about_file(path, e);
  }
}

std::vector<std::byte> TimingCache::serialize() const {
  std::string text = first_line() + fingerprint_ + "\n";
  for (const auto& [key, timing] : entries_)
    text += key + " " + text_of(timing.milliseconds) + " " + text_of(timing.counts) + "\n";
  for (const auto& [made_of, code] : code_.all()) {
    text += code_line(made_of, code->size()) + "\n";
    text.append(reinterpret_cast<const char*>(code->data()), code->size()) += "\n";
  }
  text += std::string(kSumTag) + std::to_string(checksum64(text.data(), text.size())) + "\n";
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

std::optional<Timing> TimingCache::find(const Hash128& problem, const std::string& choice) const {
  auto it = entries_.find(problem.hex() + " " + choice);
  return it == entries_.end() ? std::nullopt : std::optional(it->second);
}

void TimingCache::put(const Hash128& problem, const std::string& choice, Timing timing) {
  entries_[problem.hex() + " " + choice] = timing;
}

std::map<std::string, double> TimingCache::fastest_of_tactics() const {
  std::map<std::string, double> fastest;
  std::map<std::string, std::string> leading;  // "<problem> <tactic>": its fastest choice so far
  for (const auto& [key, timing] : entries_) {
    const size_t choice = key.find(' ') + 1;
    if (key.substr(choice).starts_with(kPin) || cannot_be_made(timing)) continue;
    std::string& best = leading[key.substr(0, key.find('.', choice))];
    if (!best.empty() && fastest.at(best) <= timing.milliseconds) continue;
    fastest.erase(best);
    fastest[best = key] = timing.milliseconds;
  }
  return fastest;
}

void TimingCache::put_times(const std::map<std::string, double>& times) {
  for (const auto& [key, milliseconds] : times) {
    const size_t space = key.find(' ');
    if (space == std::string::npos || !Hash128::parse(key.substr(0, space)) || key.find('\n') != std::string::npos ||
        key.substr(space + 1).starts_with(kPin))
      throw Error(Code::kInvalidArgument, "a time is of '" + key + "', which names no choice of a problem")
          .remedy("take times from a timing cache: `kiln list devices --saveProfile=FILE --timingCacheFile=FILE`");
    entries_.try_emplace(key, Timing{milliseconds, milliseconds});
  }
}

std::vector<Hash128> TimingCache::problems() const {
  std::vector<Hash128> list;
  for (const auto& [key, timing] : entries_)
    if (const auto hash = Hash128::parse(key.substr(0, key.find(' ')));
        hash && (list.empty() || !(list.back() == *hash)))
      list.push_back(*hash);
  return list;
}

std::optional<std::pair<std::string, double>> TimingCache::pinned(const Hash128& problem) const {
  const std::string start = problem.hex() + " " + kPin;
  const auto it = entries_.lower_bound(start);
  if (it == entries_.end() || !it->first.starts_with(start)) return std::nullopt;
  return std::pair(it->first.substr(start.size()), it->second.milliseconds);
}

std::optional<std::pair<std::string, double>> TimingCache::best(const Hash128& problem) const {
  if (auto pin = pinned(problem)) return pin;
  const std::string start = problem.hex() + " ";
  std::optional<std::pair<std::string, double>> best;
  double least = 0;
  for (auto it = entries_.lower_bound(start); it != entries_.end() && it->first.starts_with(start); ++it) {
    const std::string choice = it->first.substr(start.size());
    if (cannot_be_made(it->second) || (best && it->second.counts >= least)) continue;
    best = std::pair(choice, it->second.milliseconds);
    least = it->second.counts;
  }
  return best;
}

bool TimingCache::pin(const Hash128& problem, uint64_t choice_hash, double milliseconds) {
  const std::string start = problem.hex() + " ";
  for (auto it = entries_.lower_bound(start); it != entries_.end() && it->first.starts_with(start); ++it) {
    const std::string choice = it->first.substr(start.size());
    if (choice.starts_with(kPin) || cannot_be_made(it->second) || tactic_hash(choice) != choice_hash) continue;
    it->second = {milliseconds, milliseconds};
    if (const auto old = pinned(problem)) entries_.erase(start + kPin + old->first);
    entries_[start + kPin + choice] = {milliseconds, milliseconds};
    return true;
  }
  return false;
}

void TimingCache::combine(const TimingCache& other, bool ignore_mismatch) {
  if (other.fingerprint_ != fingerprint_ && !ignore_mismatch)
    throw Error(Code::kMalformedCache, "timing caches of different devices do not combine")
        .cause(other.fingerprint_ + " and " + fingerprint_);
  entries_.insert(other.entries_.begin(), other.entries_.end());
  for (auto& [made_of, code] : other.code_.all()) code_.add(made_of, code);
}

}  // namespace kiln
