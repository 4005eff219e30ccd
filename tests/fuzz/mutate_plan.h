// Structural mutations of plans, for fuzzers that must get past the verifier.
#pragma once
#include <random>

#include "plan/plan.h"

namespace kiln::plan {

// A few edits at random places: parameters, kernels, operands, shapes, types, storage, profiles. The result may be one that
// verify() refuses.
void mutate(Plan& plan, std::mt19937& random);
// Gives a step of the plan the kernel and the parameters of a step of another plan.
void take_step(Plan& plan, const Plan& other, std::mt19937& random);
// Gives every tensor of an arena or of the constants, and every workspace, a place of its own with a gap behind it, just as large
// as its shapes need, so that edits of shapes pass verify().
void fit_storage(Plan& plan);

}  // namespace kiln::plan
