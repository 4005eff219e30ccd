// What cuDNN proposes for the GPU that engines are built for.
#include "backends/cuda/target/cudnn_choices.h"

#include <map>
#include <mutex>

#include "backends/cuda/target/chip.h"
#include "device/parameters.h"

namespace kiln::cuda {
Refusal find_choices(const std::string& text, const CudnnNeeds& needs,
                     const std::function<CudnnGraph(const Cudnn&, const CudnnSite&)>& graph,
                     std::vector<kernels::CudnnChoice>& choices) {
  std::string reason;
  const Cudnn* library = find_cudnn(reason);
  if (!library) return refuse(reason);
  static std::mutex mutex;
  static auto& known = *new std::map<std::string, std::vector<kernels::CudnnChoice>>;
  static const auto& properties = *new CudnnDescriptor(gpu_properties(*library, target_chip()));
  const std::string key = text + (needs.compiled ? ", compiled" : "");
  const auto answer = [&] {
    return choices.empty() ? refuse("cuDNN has no kernel that does all of it: " + key) : accept();
  };
  {
    const std::lock_guard lock(mutex);
    if (const auto it = known.find(key); it != known.end()) {
      choices = it->second;
      return answer();
    }
  }
  try {
    choices = graph(*library, {nullptr, &properties}).proposals(needs);
  } catch (const Error& e) {
    return refuse(e.message());
  }
  const std::lock_guard lock(mutex);
  choices = known.emplace(key, std::move(choices)).first->second;
  return answer();
}

Refusal needs_one_shape(const Problem& p) {
  for (const auto* list : {&p.inputs, &p.outputs})
    for (const Argument& a : *list)
      if (a.present && !a.is_static) return refuse("the shape " + to_string(a.opt) + " is not the same in every run");
  return accept();
}

std::vector<Config> to_configs(const std::vector<kernels::CudnnChoice>& choices) {
  std::vector<Config> configs;
  for (const kernels::CudnnChoice& choice : choices) configs.push_back(to_parameters(choice));
  return configs;
}

}  // namespace kiln::cuda
