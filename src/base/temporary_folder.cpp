// A folder among temporary files.
#include "base/temporary_folder.h"

#include <cstdlib>
#include <filesystem>

#include "base/error.h"

namespace kiln {

TemporaryFolder::TemporaryFolder() {
  std::error_code error;
  path_ = (std::filesystem::temp_directory_path(error) / "kiln-XXXXXX").string();
  if (error || !::mkdtemp(path_.data())) throw Error(Code::kIo, "cannot make a folder for temporary files");
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace kiln
