// A device for tests: the CPU's kernels behind memory that the host cannot touch and streams that run late.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "device/device.h"
#include "target/target.h"

namespace kiln::pretend {

inline constexpr int kDevices = 2;  // "pretend:0" and "pretend:1"

// Makes device and target "pretend" known. Its tactics are the CPU's but for those of a few operators, which run on the host, the
// CPU's tactics being its fallback, and pointwise programs are generated kernels (program_text.h). Reading or writing its memory from the host ends the process; a pointer of the host given to a
// kernel or a copy as the device's, or the reverse, is an error.
void register_pretend();

// Names of all targets, "pretend" among them, whose device this machine has.
std::vector<std::string> every_target();

// The allocation of that number from now on fails, and all behind it; negative: none does.
void fail_allocations_after(int count);
// While it does not generate, binaries of kernels cannot be made again.
void let_generate(bool generates);
// While lost, whatever is queued fails.
void lose_device(bool lost);
// The device is lost once so many more pieces of work ran.
void lose_device_after(int64_t pieces);
// While on, captures end in an error.
void refuse_captures(bool on);
// Graphs that took over what a newer one holds, since the start.
int64_t graph_updates();
// While on, work that uses the same bytes as work of another stream without an order between them is refused: kExecution.
void watch_races(bool on);
// Device memory that is taken, in bytes, and pieces of work that ran, since the start.
int64_t memory_in_use();
int64_t work_done();
// From now on, names of the ranges that begin, and "end" for each that ends, are kept.
void watch_ranges(bool on);
std::vector<std::string> seen_ranges();

}  // namespace kiln::pretend
