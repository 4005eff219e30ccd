// Running other programs.
#pragma once
#include <string>
#include <vector>

namespace kiln::tool {

// Runs a program of the path with its arguments; standard streams are shared. The exit code, 127 when there is no such program, 128 and the
// number of a signal that ended it.
int run_program(const std::vector<std::string>& words);

}  // namespace kiln::tool
