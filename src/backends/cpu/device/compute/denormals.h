// Floats too small to be normal.
#pragma once

namespace kiln::cpu {

// While it lives, arithmetic of this thread takes denormal numbers for zero, as operands and as results. The processor computes with
// them a hundred times slower, and what a softmax gives to masked elements is often denormal.
class DenormalsAreZero {
 public:
  DenormalsAreZero() noexcept : saved_(__builtin_ia32_stmxcsr()) {
    __builtin_ia32_ldmxcsr(saved_ | kFlushResults | kFlushOperands);
  }
  DenormalsAreZero(const DenormalsAreZero&) = delete;
  DenormalsAreZero& operator=(const DenormalsAreZero&) = delete;
  ~DenormalsAreZero() { __builtin_ia32_ldmxcsr(saved_); }

 private:
  static constexpr unsigned kFlushResults = 0x8000, kFlushOperands = 0x40;
  unsigned saved_;
};

}  // namespace kiln::cpu
