// What the build notes in an engine for people: options, remarks, and for each layer its work, time and the candidates that were compared.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace kiln {
struct LayerReport;
struct Workload;
}  // namespace kiln

namespace kiln::api {

struct BuildOptions;

struct EngineNotes {
  struct Layer {
    double flops = -1, bytes = -1, built_ms = -1;
    size_t tried = 0;           // index
    std::string computes = {};  // name of a type
  };
  std::string options;
  std::vector<std::string> remarks;
  std::map<std::string, Layer> layers;  // by name
  std::vector<std::vector<std::pair<std::string, double>>> tried{
      1};  // lists of candidates and milliseconds; the first is empty
};

std::string options_text(const BuildOptions& options);  // what differs from the defaults
// JSON for Plan::build_info: a pure function of what it is given.
std::string notes_text(const std::string& options, const std::vector<std::string>& remarks,
                       const std::vector<LayerReport>& layers, const std::map<std::string, Workload>& work);
// Tolerates any text: what cannot be read is left out.
EngineNotes parse_notes(const std::string& text);

}  // namespace kiln::api
