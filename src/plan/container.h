// The outside of an engine file: a header that people can read, a table of sections, and the sections with their checksums.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::plan {

// All numbers are little-endian.
//   0    "KILN engine\nbuilt by 0.1.0\nformat 5\n", then zeros
//   192  uint64 size of the file; uint64 number of sections; uint64 checksum of header and table, itself taken as zero
//   256  the table: uint32 kind, uint32 flags (1: readers may skip it), uint64 offset, uint64 size, uint64 checksum
//   ...  the sections in the order of the table, each at the next multiple of 64; zeros between them
inline constexpr std::string_view kMagic = "KILN engine\n";
inline constexpr size_t kHeaderSize = 256, kNumbersAt = 192, kHeaderChecksumAt = kNumbersAt + 16, kEntrySize = 32;
inline constexpr uint64_t kMaxSections = 64;

// Number is stored: append only.
enum class SectionKind : uint32_t { kMetadata = 1, kConstants = 2, kKernels = 3 };

struct Piece {
  uint64_t offset;  // from the start of the section
  std::span<const std::byte> bytes;
};

struct Section {
  SectionKind kind;
  bool optional = false;      // readers that do not know the kind skip it
  std::vector<Piece> pieces;  // ascending, zeros between them; one in a file that was read
  uint64_t size() const { return pieces.empty() ? 0 : pieces.back().offset + pieces.back().bytes.size(); }
};

struct Container {
  std::string built_by;
  std::vector<Section> sections;  // borrowed from the file
};

using Sink = std::function<void(std::span<const std::byte>)>;
// Gives the file to `sink`, in order, in moderate parts.
void pack(const Container& container, const Sink& sink);
std::vector<std::byte> pack(const Container& container);
// Throws kPlanVersion for another format, kMalformedPlan for anything that is wrong.
Container unpack(std::span<const std::byte> file);
// Bytes of the whole file, as its first kHeaderSize say. Throws as unpack.
uint64_t announced_size(std::span<const std::byte> front);
uint64_t section_checksum(const Section& section);
// Whether it may stand in the header: short and printable.
bool is_version_text(std::string_view text);

// Throws kMalformedPlan.
[[noreturn]] void malformed(std::string cause);

}  // namespace kiln::plan
