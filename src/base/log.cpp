// The logger that drops everything.
#include "base/log.h"

namespace kiln {
namespace {
class NullLogger final : public Logger {
  void log(Severity, std::string_view) noexcept override {}
};
}  // namespace

Logger& null_logger() {
  static NullLogger logger;
  return logger;
}

}  // namespace kiln
