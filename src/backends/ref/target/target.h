// The reference as a target: no rewriting, no tactics; every node runs by its definition.
#pragma once
#include "target/target.h"

namespace kiln::ref {
const Target& target();
}
