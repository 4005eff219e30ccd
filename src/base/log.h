// Log sink: the library never writes to the terminal by itself; whoever embeds it gives a Logger.
#pragma once
#include <string_view>

namespace kiln {

enum class Severity { kInternalError, kError, kWarning, kInfo, kVerbose };

// Implementations must be thread-safe. log() must not throw.
class Logger {
 public:
  virtual ~Logger() = default;
  virtual void log(Severity severity, std::string_view message) noexcept = 0;
};

// Drops everything.
Logger& null_logger();

}  // namespace kiln
