// Carries out one instruction that the processor may lack: AVX-VNNI's vpdpbusd, where it traps. Linux on x86-64 alone.
#include "backends/vnni_emulator.h"

// clang-format off: the choice of instruction sets stands before Highway's headers.
#include "backends/cpu/device/compute/hwy_byte_targets.h"
#include <hwy/targets.h>
// clang-format on

#include "backends/cpu/device/compute/processor.h"

#if defined(__linux__) && defined(__x86_64__)
#include <cpuid.h>
#include <signal.h>
#include <ucontext.h>

#include <atomic>
#include <cstring>

namespace kiln::testing {
namespace {

constexpr size_t kMostCode = 15;  // bytes of an instruction

// Reads code byte by byte; what lies behind the end is 0.
class Code {
 public:
  explicit Code(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  uint8_t next() { return at_ < bytes_.size() ? bytes_[at_++] : (++at_, uint8_t{0}); }
  int32_t next_word() {
    uint32_t word = 0;
    for (int i = 0; i < 4; ++i) word |= uint32_t{next()} << (8 * i);
    return static_cast<int32_t>(word);
  }
  bool ended() const { return at_ > bytes_.size(); }
  int read() const { return static_cast<int>(at_); }

 private:
  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
};

// What ModRM says of memory.
void read_address(Code& code, uint8_t modrm, bool extends_base, bool extends_index, DotInstruction& to) {
  const int mode = modrm >> 6;
  int base = modrm & 7;
  if (base == 4) {
    const uint8_t sib = code.next();
    const int index = (sib >> 3 & 7) | (extends_index ? 8 : 0);
    if (index != 4) to.index = index;
    to.scale = 1 << (sib >> 6);
    base = sib & 7;
    if (base != 5 || mode != 0) to.base = base | (extends_base ? 8 : 0);
    else to.displacement = code.next_word();
  } else if (base == 5 && mode == 0) {
    to.behind = true;
    to.displacement = code.next_word();
  } else {
    to.base = base | (extends_base ? 8 : 0);
  }
  if (mode == 1) to.displacement = static_cast<int8_t>(code.next());
  else if (mode == 2) to.displacement = code.next_word();
}

}  // namespace

std::optional<DotInstruction> decode_dot(std::span<const uint8_t> bytes) {
  constexpr uint8_t kVex = 0xC4, kMap = 2, kPrefix = 1, kDot = 0x50;
  Code code(bytes);
  if (code.next() != kVex) return std::nullopt;
  const uint8_t first = code.next(), second = code.next(), operation = code.next(), modrm = code.next();
  // The bits that extend registers, and vvvv, are inverted.
  const bool extends_reg = !(first & 0x80), extends_index = !(first & 0x40), extends_base = !(first & 0x20);
  if ((first & 0x1F) != kMap || (second & 0x80) != 0 || (second & 3) != kPrefix || operation != kDot)
    return std::nullopt;
  DotInstruction to;
  to.wide = (second & 4) != 0;
  to.unsigned_bytes = ~second >> 3 & 15;
  to.sums = (modrm >> 3 & 7) | (extends_reg ? 8 : 0);
  to.memory = modrm >> 6 != 3;
  if (to.memory) read_address(code, modrm, extends_base, extends_index, to);
  else to.signed_bytes = (modrm & 7) | (extends_base ? 8 : 0);
  if (code.ended()) return std::nullopt;
  to.length = code.read();
  return to;
}

namespace {

constexpr size_t kHalf = 16;  // bytes of the lower half of a register, and of the upper one

std::atomic<int64_t> carried_out{0};
struct sigaction before;
bool pretending = false;

bool lacks_instruction() {
  constexpr unsigned kAvxVnni = 1 << 4;
  unsigned a = 0, b = 0, c = 0, d = 0;
  return !__get_cpuid_count(7, 1, &a, &b, &c, &d) || (a & kAvxVnni) == 0;
}

int64_t offset_of(unsigned component) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  __get_cpuid_count(0xD, component, &a, &b, &c, &d);
  return b;
}
enum Component : unsigned { kLowerHalves = 1, kUpperHalves = 2, kBeyond = 6 };
int64_t upper_offset, beyond_offset;

// The vector registers as the kernel keeps them for a handler (the XSAVE area). A part that is not in use holds zeros, whatever lies there.
class VectorRegisters {
 public:
  explicit VectorRegisters(ucontext_t& context)
      : area_(reinterpret_cast<uint8_t*>(context.uc_mcontext.fpregs)), in_use_(area_ + 512) {
    use(kLowerHalves, lower(0), 16 * kHalf);
    use(kUpperHalves, upper(0), 16 * kHalf);
  }
  void read(int register_number, uint8_t (&to)[2 * kHalf]) const {
    std::memcpy(to, lower(register_number), kHalf);
    std::memcpy(to + kHalf, upper(register_number), kHalf);
  }
  // Clears what lies beyond 256 bits.
  void write(int register_number, const uint8_t (&from)[2 * kHalf]) {
    std::memcpy(lower(register_number), from, kHalf);
    std::memcpy(upper(register_number), from + kHalf, kHalf);
    if (used() & uint64_t{1} << kBeyond) std::memset(area_ + beyond_offset + register_number * 32, 0, 32);
  }

 private:
  uint8_t* lower(int n) const { return area_ + 160 + static_cast<size_t>(n) * kHalf; }
  uint8_t* upper(int n) const { return area_ + upper_offset + static_cast<size_t>(n) * kHalf; }
  uint64_t used() const {
    uint64_t bits;
    std::memcpy(&bits, in_use_, sizeof bits);
    return bits;
  }
  void use(Component part, uint8_t* from, size_t bytes) {
    const uint64_t bits = used() | uint64_t{1} << part;
    if (bits == used()) return;
    std::memset(from, 0, bytes);
    std::memcpy(in_use_, &bits, sizeof bits);
  }
  uint8_t *area_, *in_use_;
};

greg_t general(const ucontext_t& context, int n) {
  constexpr int kOrder[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                              REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return context.uc_mcontext.gregs[kOrder[n]];
}

const void* address_of(const ucontext_t& context, const DotInstruction& i) {
  greg_t at = i.displacement;
  if (i.base) at += general(context, *i.base);
  if (i.index) at += general(context, *i.index) * i.scale;
  if (i.behind) at += context.uc_mcontext.gregs[REG_RIP] + i.length;
  return reinterpret_cast<const void*>(at);
}

void carry_out(ucontext_t& context, const DotInstruction& i) {
  const size_t bytes = i.wide ? 2 * kHalf : kHalf;
  uint8_t sums[2 * kHalf], left[2 * kHalf], right[2 * kHalf];
  VectorRegisters registers(context);
  registers.read(i.sums, sums);
  registers.read(i.unsigned_bytes, left);
  if (i.memory) std::memcpy(right, address_of(context, i), bytes);
  else registers.read(i.signed_bytes, right);
  if (!i.wide) std::memset(sums + kHalf, 0, kHalf);
  for (size_t lane = 0; lane < bytes; lane += 4) {
    uint32_t sum;
    std::memcpy(&sum, sums + lane, sizeof sum);
    for (size_t k = lane; k < lane + 4; ++k)
      sum += static_cast<uint32_t>(int32_t{left[k]} * static_cast<int8_t>(right[k]));
    std::memcpy(sums + lane, &sum, sizeof sum);
  }
  registers.write(i.sums, sums);
  context.uc_mcontext.gregs[REG_RIP] += i.length;
}

void handle(int, siginfo_t*, void* data) {
  auto& context = *static_cast<ucontext_t*>(data);
  const auto* code = reinterpret_cast<const uint8_t*>(context.uc_mcontext.gregs[REG_RIP]);
  const auto instruction = decode_dot({code, kMostCode});
  if (!instruction) {  // traps again, for good
    sigaction(SIGILL, &before, nullptr);
    return;
  }
  carry_out(context, *instruction);
  carried_out.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

VnniEmulator::VnniEmulator() {
  upper_offset = offset_of(kUpperHalves);
  beyond_offset = offset_of(kBeyond);
  carried_out = 0;
  struct sigaction action = {};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, &before);
}
VnniEmulator::~VnniEmulator() { sigaction(SIGILL, &before, nullptr); }
int64_t VnniEmulator::count() const { return carried_out; }

bool AvxVnni::possible() { return __builtin_cpu_supports("avx2"); }
bool AvxVnni::active() { return pretending; }
AvxVnni::AvxVnni() : lacking_(lacks_instruction()) {
  hwy::SetSupportedTargetsForTest(HWY_AVX2);
  cpu::pretend_adding_four(true);
  pretending = true;
}
AvxVnni::~AvxVnni() {
  pretending = false;
  cpu::pretend_adding_four(std::nullopt);
  hwy::SetSupportedTargetsForTest(0);
}
std::optional<int64_t> AvxVnni::count() const { return lacking_ ? std::optional(emulator_.count()) : std::nullopt; }

}  // namespace kiln::testing
#else

namespace kiln::testing {

std::optional<DotInstruction> decode_dot(std::span<const uint8_t>) { return std::nullopt; }
VnniEmulator::VnniEmulator() = default;
VnniEmulator::~VnniEmulator() = default;
int64_t VnniEmulator::count() const { return 0; }
bool AvxVnni::possible() { return false; }
bool AvxVnni::active() { return false; }
AvxVnni::AvxVnni() : lacking_(true) {}
AvxVnni::~AvxVnni() = default;
std::optional<int64_t> AvxVnni::count() const { return std::nullopt; }

}  // namespace kiln::testing
#endif
