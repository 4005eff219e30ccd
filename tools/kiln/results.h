// Results of layers: as files, and the first of them that is not finite.
#pragma once
#include <string>
#include <vector>

#include "command.h"
#include "trtexec_options.h"

namespace kiln::tool {

// What of a name a path can hold.
std::string path_part(const std::string& name);

// Watches the results of one inference for NaN and infinity.
class FirstOdd {
 public:
  void take(const api::LayerInfo& layer, const std::string& value, const api::HostTensor& tensor);
  // A warning that names the first, when there was one.
  void tell() const;

 private:
  std::string text_;
};
bool has_odd(const api::HostTensor& tensor);  // NaN or infinity

// --saveDebugTensors and --saveAllDebugTensors: one more inference, whose results are written as these options say; names the first that
// is not finite. Throws when a name is no result of a layer.
void save_debug_tensors(api::Session& session, const api::Engine& engine, const TrtexecOptions& o);

}  // namespace kiln::tool
