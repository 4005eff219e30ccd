// What the parts of include/kiln/kiln.h share.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "ir/graph.h"
#include "kiln/kiln.h"
#include "runtime/context.h"

namespace kiln::api {

struct Engine::State {
  std::shared_ptr<kiln::Engine> engine;
  std::string report;
  std::map<std::string, double> built_ms;  // by layer
  std::unique_ptr<ir::Graph> graph;        // as it was lowered, when it was kept
};

// Turns internal errors into the public one.
template <class F> auto guarded(F&& f) {
  try {
    return f();
  } catch (const Error& e) {
    throw Failure(e.what());
  } catch (const std::bad_alloc&) {
    throw Failure("error[K1003] out of memory");
  }
}

inline const plan::TensorInfo& tensor(const kiln::Engine& engine, int32_t index) {
  return engine.main().tensors[static_cast<size_t>(index)];
}

// The graph's arguments in order; throws kNotFound when one is not given.
std::vector<Datum> arguments_of(const ir::Graph& graph, const Values& inputs);

struct Session::State {
  std::shared_ptr<kiln::Engine> engine;
  std::unique_ptr<Context> context;
  std::unique_ptr<Stream> stream;
  std::unique_ptr<Event> start, stop;
  std::map<int32_t, Tensor> buffers;
  std::map<std::string, std::vector<std::byte>> sized_outputs;
  bool shapes_changed = true;

  int32_t index(const std::string& name) const {
    if (auto t = engine->find_io(name)) return *t;
    throw Error(Code::kNotFound, "the engine has no input or output '" + name + "'");
  }
  void check(Status status) const {
    if (!status.ok()) throw Error(status.code, context->error_text());
  }
  // Memory for the tensor's present shape.
  Tensor& buffer(int32_t t, const std::vector<int64_t>& dims) {
    Tensor& held = buffers[t];
    const DType type = tensor(*engine, t).dtype;
    if (!held.valid() || held.dims() != dims) {
      held = Tensor::allocate(type, dims);
      check(context->set_address(t, held.mutable_data()));
    }
    return held;
  }
};

}  // namespace kiln::api
