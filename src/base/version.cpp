// The version that the build was configured with.
#include "base/version.h"

namespace kiln {

std::string_view version() { return KILN_VERSION; }

}  // namespace kiln
