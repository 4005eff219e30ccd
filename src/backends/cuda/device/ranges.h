// Ranges that NVIDIA's tools show in their time lines (NVTX), in a domain "Kiln" of their own.
#pragma once

namespace kiln::cuda {

// Of the calling thread, nested as they are called. Without such a tool they do nothing.
void begin_range(const char* name) noexcept;
void end_range() noexcept;

}  // namespace kiln::cuda
