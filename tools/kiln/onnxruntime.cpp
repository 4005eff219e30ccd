// ONNX Runtime in a process of its own: inputs and outputs are .npz files.
#include "onnxruntime.h"

#include "program.h"
#include "temporary.h"

namespace kiln::tool {
namespace {

// Exit codes of the scripts.
constexpr int kNoProgram = 127, kNoPackage = 3;
constexpr const char* kImports = R"(
import sys
try:
    import numpy, onnxruntime
except ImportError as error:
    sys.exit(3 if error.name in ('numpy', 'onnxruntime') else error)
)";
constexpr const char* kScript = R"(
import sys
import numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])
names = [o.name for o in session.get_outputs()]
numpy.savez(sys.argv[3], **dict(zip(names, session.run(names, dict(numpy.load(sys.argv[2]))))))
)";

// Throws unless the script did what it is for.
void check_code(int code, const char* what) {
  if (code == 0) return;
  constexpr const char* kRemedy =
      "\n  remedy: let the python3 on the path be one with the packages numpy and onnxruntime (python3 -m pip install "
      "numpy onnxruntime), or leave --golden=onnxruntime out: the reference says what is right";
  if (code == kNoProgram) throw api::Failure(std::string("error[K1004] there is no python3 on the path") + kRemedy);
  if (code == kNoPackage)
    throw api::Failure(std::string("error[K1004] ONNX Runtime is not there\n  cause: python3 has no package numpy or "
                                   "onnxruntime") +
                       kRemedy);
  throw api::Failure(std::string("error[K4001] ") + what + "; its words are above" + kRemedy);
}

}  // namespace

void check_onnxruntime() { check_code(run_program({"python3", "-c", kImports}), "ONNX Runtime cannot be loaded"); }

api::Values run_onnxruntime(const std::string& model, const api::Values& inputs,
                            const std::vector<api::IoTensor>& outputs) {
  const TemporaryFolder folder;
  const std::string in = folder.path() + "/in.npz", out = folder.path() + "/out.npz";
  std::map<std::string, api::HostValue> arrays;
  for (const auto& [name, tensor] : inputs) arrays[name].tensor = tensor;
  save_npz(in, arrays);
  check_code(run_program({"python3", "-c", kScript, model, in, out}), "ONNX Runtime did not run the model");
  api::Values values;
  for (const api::IoTensor& io : outputs) values[io.name] = load_npz(out, io.name, UINT64_MAX / 4);
  return values;
}

}  // namespace kiln::tool
