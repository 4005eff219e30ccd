// Carries out one instruction that the processor may lack: AVX-VNNI's vpdpbusd, where it traps. Linux on x86-64 alone.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace kiln::testing {

// vpdpbusd sums, unsigned, signed: which registers, or where in memory the signed bytes lie.
struct DotInstruction {
  int length = 0;     // bytes of code
  bool wide = false;  // 256 bits; else 128
  int sums = 0, unsigned_bytes = 0;
  int signed_bytes = 0;  // a register, unless `memory`
  bool memory = false;
  // An address in memory is the sum of registers, of which one may be scaled, a displacement, and the address behind the instruction.
  std::optional<int> base, index;
  int scale = 1;
  int32_t displacement = 0;
  bool behind = false;
};

// Nothing where `code` begins with another instruction.
std::optional<DotInstruction> decode_dot(std::span<const uint8_t> code);

// As long as it lives, instructions that trap are carried out where they are known; all others end the program as they would.
class VnniEmulator {
 public:
  VnniEmulator();
  ~VnniEmulator();
  VnniEmulator(const VnniEmulator&) = delete;
  VnniEmulator& operator=(const VnniEmulator&) = delete;
  int64_t count() const;  // of instructions that were carried out since it began
};

// As long as it lives, kernels run as on a processor with AVX2 and AVX-VNNI, by the emulator where this one lacks the latter.
class AvxVnni {
 public:
  static bool possible();  // this is Linux on a processor with AVX2
  static bool active();    // one lives; there may be one at a time
  AvxVnni();
  ~AvxVnni();
  AvxVnni(const AvxVnni&) = delete;
  AvxVnni& operator=(const AvxVnni&) = delete;
  // Instructions that it carried out; nothing where the processor does.
  std::optional<int64_t> count() const;

 private:
  bool lacking_;
  VnniEmulator emulator_;
};

}  // namespace kiln::testing
