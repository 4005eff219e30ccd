// ONNX Runtime in a process of its own: inputs and outputs are .npz files.
#include "onnxruntime.h"

#include "program.h"
#include "temporary.h"

namespace kiln::tool {
namespace {

constexpr const char* kScript = R"(
import sys
import numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])
names = [o.name for o in session.get_outputs()]
numpy.savez(sys.argv[3], **dict(zip(names, session.run(names, dict(numpy.load(sys.argv[2]))))))
)";

}  // namespace

api::Values run_onnxruntime(const std::string& model, const api::Values& inputs,
                            const std::vector<api::IoTensor>& outputs) {
  const TemporaryFolder folder;
  const std::string in = folder.path() + "/in.npz", out = folder.path() + "/out.npz";
  std::map<std::string, api::HostValue> arrays;
  for (const auto& [name, tensor] : inputs) arrays[name].tensor = tensor;
  save_npz(in, arrays);
  if (const int code = run_program({"python3", "-c", kScript, model, in, out}); code != 0)
    throw api::Failure(code == 127
                           ? "error[K1004] there is no python3\n  remedy: install it, with the package onnxruntime"
                           : "error[K4001] ONNX Runtime did not run the model; its words are above\n  remedy: let "
                             "python3 be one with the packages numpy and onnxruntime");
  api::Values values;
  for (const api::IoTensor& io : outputs) values[io.name] = load_npz(out, io.name, UINT64_MAX / 4);
  return values;
}

}  // namespace kiln::tool
