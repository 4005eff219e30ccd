// The CPU as a target of compilation.
#pragma once
#include "target/target.h"

namespace kiln::cpu {
const Target& target();
}
