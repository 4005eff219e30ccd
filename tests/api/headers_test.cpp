// Every public header compiles alone, in the C++ that users' programs are written in, without a warning.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

namespace fs = std::filesystem;

// The compiler's exit status for a file that includes `header` alone, with what it printed in `text`.
int compile(const std::string& header, const std::string& language, std::string& text) {
  const std::string include = std::string(KILN_SOURCE_DIR) + "/include";
  const std::string stem =
      testing::TempDir() + "kiln_header_" + std::to_string(std::hash<std::string>()(header + language));
  std::ofstream(stem + ".in") << "#include \"" << header << "\"\nint main(void) { return 0; }\n";
  const int status = std::system((std::string(KILN_CXX) + " " + language +
                                  " -Wall -Wextra -Wpedantic -Wno-long-long -Werror" + " -fsyntax-only -I" + include +
                                  " -I" + include + "/kiln_compat " + stem + ".in > " + stem + ".out 2>&1")
                                     .c_str());
  std::ifstream out(stem + ".out");
  text.assign(std::istreambuf_iterator<char>(out), {});
  return status;
}

TEST(Headers, CompileAlone) {
  const fs::path root = fs::path(KILN_SOURCE_DIR) / "include";
  int count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".h") continue;
    const std::string name = fs::relative(entry.path(), root).string();
    const bool own = name.starts_with("kiln/");  // Kiln's own API is for C++17
    for (const char* standard : {"-x c++ -std=c++14", "-x c++ -std=c++17", "-x c++ -std=c++20"}) {
      if (own && std::string(standard).ends_with("14")) continue;
      std::string text;
      EXPECT_EQ(compile(name, standard, text), 0) << name << " " << standard << "\n" << text;
    }
    ++count;
  }
  EXPECT_GE(count, 17);
}

TEST(Headers, MemoryAndStreamsCompileAsC) {
  for (const char* name : {"cuda_runtime_api.h", "cuda_runtime.h"}) {
    std::string text;
    EXPECT_EQ(compile(name, "-x c -std=c99", text), 0) << name << "\n" << text;
  }
}

// The check itself can fail.
TEST(Headers, AFaultIsSeen) {
  std::string text;
  EXPECT_NE(compile("no_such_header.h", "-x c++ -std=c++14", text), 0);
  EXPECT_NE(text.find("no_such_header"), std::string::npos);
}

}  // namespace
