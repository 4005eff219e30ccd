// Machine code for GPUs as a file of it is laid out.
#include "backends/cuda/device/image.h"

#include <elf.h>

#include <cstdint>
#include <cstring>

namespace kiln::cuda {
namespace {

template <class T> bool read_at(std::span<const std::byte> bytes, uint64_t offset, T& value) {
  if (offset > bytes.size() || sizeof value > bytes.size() - offset) return false;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return true;
}

}  // namespace

bool is_whole_image(std::span<const std::byte> bytes) {
  Elf64_Ehdr header;
  if (!read_at(bytes, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_CUDA || header.e_shnum == 0 ||
      header.e_shentsize != sizeof(Elf64_Shdr) || (header.e_phnum > 0 && header.e_phentsize != sizeof(Elf64_Phdr)))
    return false;
  const auto inside = [&](uint64_t offset, uint64_t size) {
    return offset <= bytes.size() && size <= bytes.size() - offset;
  };
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    if (!inside(header.e_shoff, 0) || !read_at(bytes, header.e_shoff + i * sizeof section, section)) return false;
    if (section.sh_type != SHT_NOBITS && !inside(section.sh_offset, section.sh_size)) return false;
  }
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!inside(header.e_phoff, 0) || !read_at(bytes, header.e_phoff + i * sizeof segment, segment)) return false;
    if (!inside(segment.p_offset, segment.p_filesz)) return false;
  }
  return header.e_shstrndx < header.e_shnum;
}

}  // namespace kiln::cuda
