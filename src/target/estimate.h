// What steps take by reasoning from a device's facts: a roofline (S. Williams, A. Waterman, D. Patterson, 2009). Where nothing is
// measured, layouts and types are chosen by it.
#pragma once
#include "target/target.h"
#include "target/workload.h"

namespace kiln {

// Of work whose operands are multiplied in that type. Rates that the facts lack follow from those that they have: twice as many operations
// on half as many bits; and where there is none, from the number of units, of which each does 64e9 operations on float32 and
// moves 8e9 bytes in a second, as a core of a processor does at least. A quarter of the shorter of computing and moving does not overlap, and
// counts with the launch: of two equal sums the one that moves less is faster.
Estimate roofline(const Workload& work, DType type, const DeviceFacts& facts);
// The type that the problem's operands are multiplied in: that of its first input, or what its node is to compute in.
DType type_of_products(const Problem& problem);
// The type that the step computes in, for reports: of its first operand, unless it keeps weights in another, rounds to one, or makes numbers of
// integers.
DType type_computed(const Problem& problem, const Emitted& emitted);
// The tactic's own estimate, else the roofline of the problem's operator.
Estimate estimate(const Tactic& tactic, const Problem& problem, const DeviceFacts& facts);
// A step that reads so many bytes and writes so many: a Reformat or a Cast.
Estimate estimate_move(double read, double written, const DeviceFacts& facts);

}  // namespace kiln
