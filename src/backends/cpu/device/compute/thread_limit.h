// Fewer threads than there are.
#pragma once

namespace kiln::cpu {

// The calling thread's next calls of run_parts are computed by at most so many threads, itself one of them; 0: by any number.
void limit_threads(int most) noexcept;

}  // namespace kiln::cpu
