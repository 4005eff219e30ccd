// A folder for files that are gone afterwards.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <string>

#include "kiln/kiln.h"

namespace kiln::tool {

class TemporaryFolder {
 public:
  TemporaryFolder() : path_((std::filesystem::temp_directory_path() / "kiln.XXXXXX").string()) {
    if (!mkdtemp(path_.data()))
      throw api::Failure("error[K1005] cannot make a folder like '" + path_ +
                         "'\n  remedy: let TMPDIR name a folder with space");
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace kiln::tool
