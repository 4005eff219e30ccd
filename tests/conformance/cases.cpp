// Finds the test cases of the onnx wheel.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "conformance/conformance.h"

namespace kiln::conformance {
namespace fs = std::filesystem;
namespace {

// A case of the kind "real" names a small model with stored outputs in the folder "light".
void add_light_model(Case& test, const fs::path& folder, const fs::path& root) {
  std::ifstream in(folder / "data.json");
  const auto json = nlohmann::json::parse(in);
  const std::string stem = fs::path(json.at("url").get<std::string>()).stem().string();
  test.model = (root / "light" / (stem + ".onnx")).string();
  test.light_output = (root / "light" / (stem + "_output_0.pb")).string();
  test.rtol = json.value("rtol", test.rtol);
  test.atol = json.value("atol", test.atol);
}

}  // namespace

std::vector<Case> find_cases(const std::string& root) {
  if (!fs::is_directory(root))
    throw Error(Code::kNotFound, "no ONNX test data in '" + root + "'").remedy("run scripts/setup.sh");
  std::vector<Case> cases;
  for (const char* kind : {"node", "simple", "pytorch-converted", "pytorch-operator", "real"}) {
    for (const auto& entry : fs::directory_iterator(fs::path(root) / kind)) {
      if (!entry.is_directory()) continue;
      Case test;
      test.name = std::string(kind) + "/" + entry.path().filename().string();
      if (fs::exists(entry.path() / "model.onnx")) test.model = (entry.path() / "model.onnx").string();
      else if (fs::exists(entry.path() / "data.json")) add_light_model(test, entry.path(), root);
      else continue;
      for (const auto& set : fs::directory_iterator(entry.path()))
        if (set.is_directory() && set.path().filename().string().starts_with("test_data_set_"))
          test.data_sets.push_back(set.path().string());
      std::sort(test.data_sets.begin(), test.data_sets.end());
      cases.push_back(std::move(test));
    }
  }
  std::sort(cases.begin(), cases.end(), [](const Case& a, const Case& b) { return a.name < b.name; });
  return cases;
}

}  // namespace kiln::conformance
