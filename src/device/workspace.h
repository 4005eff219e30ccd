// What Kernel::workspace answers.
#pragma once
#include <cstddef>
#include <cstdint>

namespace kiln {

// The operands do not fit each other, so that no size is right; prepare says what is wrong. A plan for such shapes reserves nothing.
inline constexpr size_t kNoWorkspace = SIZE_MAX;
inline size_t reserved(size_t workspace) { return workspace == kNoWorkspace ? 0 : workspace; }

}  // namespace kiln
