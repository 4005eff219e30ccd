// Packs sections into an engine file and takes them out again.
#include "plan/container.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"
#include "base/hash.h"
#include "base/in_parallel.h"
#include "plan/plan.h"

namespace kiln::plan {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kBuiltBy = "built by ", kFormat = "format ";
constexpr uint32_t kOptionalFlag = 1;

struct Entry {
  uint32_t kind, flags;
  uint64_t offset, size, checksum;
};
static_assert(sizeof(Entry) == kEntrySize);

struct Numbers {
  uint64_t file_size, sections, checksum;
};

size_t next_section(size_t end) { return (end + kAlignment - 1) / kAlignment * kAlignment; }

uint64_t header_checksum(std::span<const std::byte> header_and_table) {
  std::vector<std::byte> copy(header_and_table.begin(), header_and_table.end());
  std::memset(copy.data() + kHeaderChecksumAt, 0, sizeof(uint64_t));
  return checksum64(copy.data(), copy.size());
}

// Takes "`prefix`text\n" off the front; nothing but printable text counts.
std::string take_line(std::string_view& rest, std::string_view prefix) {
  const size_t end = rest.find('\n');
  if (!rest.starts_with(prefix) || end == std::string_view::npos)
    malformed("the header has no line '" + std::string(prefix) + "...'");
  const std::string_view text = rest.substr(prefix.size(), end - prefix.size());
  if (!is_version_text(text)) malformed("the line '" + std::string(prefix) + "...' of the header is not text");
  rest.remove_prefix(end + 1);
  return std::string(text);
}

std::string read_versions(std::span<const std::byte> file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), std::min(file.size(), kNumbersAt));
  if (!text.starts_with(kMagic)) malformed("it does not begin with \"KILN engine\"");
  std::string_view rest = text.substr(kMagic.size());
  std::string built_by = take_line(rest, kBuiltBy);
  const std::string format = take_line(rest, kFormat), ours = std::to_string(kFormatVersion);
  if (format != ours)
    throw Error(Code::kPlanVersion, "the engine was built by Kiln " + built_by + " in format " + format +
                                        ", this runtime reads format " + ours)
        .remedy("build the engine again with this version");
  return built_by;
}

Numbers stored_numbers(std::span<const std::byte> front) {
  Numbers numbers;
  std::memcpy(&numbers, front.data() + kNumbersAt, sizeof numbers);
  return numbers;
}

Numbers read_numbers(std::span<const std::byte> file) {
  if (file.size() < kHeaderSize)
    malformed("it ends inside its header, after " + std::to_string(file.size()) + " bytes");
  const Numbers numbers = stored_numbers(file);
  if (numbers.file_size != file.size())
    malformed("it has " + std::to_string(file.size()) + " bytes, its header says " + std::to_string(numbers.file_size));
  if (numbers.sections > kMaxSections)
    malformed("it says that it has " + std::to_string(numbers.sections) + " sections");
  const size_t table_end = kHeaderSize + numbers.sections * kEntrySize;
  if (table_end > file.size()) malformed("it ends inside its table of sections");
  if (header_checksum(file.first(table_end)) != numbers.checksum) malformed("the checksum of its header is wrong");
  return numbers;
}

// Checksums are made of chunks, so that several threads can work on a long section.
constexpr uint64_t kChunk = uint64_t{4} << 20;

// The bytes from `at` to `end`; in `gathered` where they do not lie in one piece.
std::span<const std::byte> chunk_of(const Section& section, uint64_t at, uint64_t end,
                                    std::vector<std::byte>& gathered) {
  const auto piece = std::partition_point(section.pieces.begin(), section.pieces.end(),
                                          [&](const Piece& p) { return p.offset + p.bytes.size() <= at; });
  if (piece->offset <= at && end <= piece->offset + piece->bytes.size())
    return piece->bytes.subspan(at - piece->offset, end - at);
  gathered.assign(end - at, std::byte{0});
  for (auto p = piece; p != section.pieces.end() && p->offset < end; ++p) {
    const uint64_t from = std::max(at, p->offset), to = std::min<uint64_t>(end, p->offset + p->bytes.size());
    if (from < to) std::memcpy(gathered.data() + (from - at), p->bytes.data() + (from - p->offset), to - from);
  }
  return gathered;
}

// Piece by piece, with zeros between them.
void write_section(const Section& section, const Sink& sink) {
  uint64_t end = 0;
  for (const Piece& piece : section.pieces) {
    const std::vector<std::byte> zeros(piece.offset - end);
    sink(zeros);
    for (size_t at = 0; at < piece.bytes.size(); at += kChunk)
      sink(piece.bytes.subspan(at, std::min<size_t>(kChunk, piece.bytes.size() - at)));
    end = piece.offset + piece.bytes.size();
  }
}

bool is_known(SectionKind kind) { return kind >= SectionKind::kMetadata && kind <= SectionKind::kKernels; }

void check_padding(std::span<const std::byte> padding) {
  if (std::any_of(padding.begin(), padding.end(), [](std::byte b) { return b != std::byte{0}; }))
    malformed("there is data between its sections");
}

}  // namespace

void malformed(std::string cause) {
  throw Error(Code::kMalformedPlan, "this is not a sound engine")
      .cause(std::move(cause))
      .remedy("build the engine again, or copy the file again");
}

bool is_version_text(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

uint64_t announced_size(std::span<const std::byte> front) {
  static_cast<void>(read_versions(front));
  return stored_numbers(front.first(kHeaderSize)).file_size;
}

uint64_t section_checksum(const Section& section) {
  const uint64_t size = section.size();
  std::vector<uint64_t> chunks((size + kChunk - 1) / kChunk);
  in_parallel(chunks.size(), [&](size_t i) {
    std::vector<std::byte> gathered;
    const auto chunk = chunk_of(section, i * kChunk, std::min(size, (i + 1) * kChunk), gathered);
    chunks[i] = checksum64(chunk.data(), chunk.size());
  });
  return checksum64(chunks.data(), chunks.size() * sizeof(uint64_t));
}

void pack(const Container& container, const Sink& sink) {
  const std::string text = std::string(kMagic) + std::string(kBuiltBy) + container.built_by + "\n" +
                           std::string(kFormat) + std::to_string(kFormatVersion) + "\n";
  const size_t table_end = kHeaderSize + container.sections.size() * kEntrySize;
  std::vector<Entry> table;
  size_t end = table_end;
  for (const Section& s : container.sections) {
    const size_t offset = next_section(end);
    table.push_back(
        {static_cast<uint32_t>(s.kind), s.optional ? kOptionalFlag : 0, offset, s.size(), section_checksum(s)});
    end = offset + s.size();
  }
  std::vector<std::byte> front(table_end);
  std::memcpy(front.data(), text.data(), text.size());
  if (!table.empty()) std::memcpy(front.data() + kHeaderSize, table.data(), table.size() * kEntrySize);
  Numbers numbers{end, table.size(), 0};
  std::memcpy(front.data() + kNumbersAt, &numbers, sizeof numbers);
  numbers.checksum = header_checksum(front);
  std::memcpy(front.data() + kNumbersAt, &numbers, sizeof numbers);
  sink(front);
  end = table_end;
  for (size_t i = 0; i < table.size(); ++i) {
    constexpr std::byte kZeros[kAlignment] = {};
    sink({kZeros, static_cast<size_t>(table[i].offset - end)});
    write_section(container.sections[i], sink);
    end = table[i].offset + table[i].size;
  }
}

std::vector<std::byte> pack(const Container& container) {
  std::vector<std::byte> file;
  size_t room = kHeaderSize;
  for (const Section& s : container.sections) room += kEntrySize + kAlignment + s.size();
  file.reserve(room);
  pack(container, [&](std::span<const std::byte> part) { file.insert(file.end(), part.begin(), part.end()); });
  return file;
}

Container unpack(std::span<const std::byte> file) {
  Container container{read_versions(file), {}};
  const Numbers numbers = read_numbers(file);
  size_t end = kHeaderSize + numbers.sections * kEntrySize;
  for (size_t i = 0; i < numbers.sections; ++i) {
    Entry entry;
    std::memcpy(&entry, file.data() + kHeaderSize + i * kEntrySize, sizeof entry);
    const std::string which = "section " + std::to_string(i);
    if (entry.offset != next_section(end) || entry.offset > file.size()) malformed(which + " is not where it belongs");
    if (entry.size > file.size() - entry.offset) malformed(which + " is longer than the file");
    if (entry.flags > kOptionalFlag) malformed(which + " has unknown flags");
    check_padding(file.subspan(end, entry.offset - end));
    end = entry.offset + entry.size;
    const Section section{static_cast<SectionKind>(entry.kind),
                          entry.flags == kOptionalFlag,
                          {{0, file.subspan(entry.offset, entry.size)}}};
    if (section_checksum(section) != entry.checksum) malformed("the checksum of " + which + " is wrong");
    if (is_known(section.kind)) {
      container.sections.push_back(section);
    } else if (!section.optional) {
      malformed(which + " is of the unknown kind " + std::to_string(entry.kind));
    }
  }
  if (end != file.size()) malformed("there is data behind its last section");
  return container;
}

}  // namespace kiln::plan
