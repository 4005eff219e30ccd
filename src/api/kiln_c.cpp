// include/kiln/kiln_c.h over include/kiln/kiln.h.
#include "kiln/kiln_c.h"

#include <charconv>
#include <cstring>
#include <optional>

#include "kiln/kiln.h"

struct kiln_options {
  kiln::api::BuildOptions options;
};
struct kiln_engine {
  kiln::api::Engine engine;
  std::vector<kiln::api::IoTensor> io;
};
struct kiln_session {
  kiln::api::Session session;
  std::vector<kiln::api::IoTensor> io;
  std::map<std::string, std::vector<int64_t>> shapes;  // that were set
  std::map<std::string, kiln::api::HostTensor> outputs;
};

namespace kiln::api {
namespace {

constexpr int kInternal = 1000, kNoMemory = 1003;
thread_local std::string last_error;

int fail(int code, const char* text) noexcept {
  try {
    last_error = text;
  } catch (...) {
    last_error.clear();
  }
  return code;
}

// The number of "error[K2005] …".
int code_of(const char* text) {
  int code = kInternal;
  if (const char* mark = std::strstr(text, "error[K")) std::from_chars(mark + 7, mark + 11, code);
  return code;
}

template <class F> int guarded_c(F&& body) noexcept {
  try {
    body();
    return KILN_OK;
  } catch (const Failure& failure) {
    return fail(code_of(failure.what()), failure.what());
  } catch (const std::bad_alloc&) {
    return fail(kNoMemory, "error[K1003] out of memory");
  } catch (const std::exception& error) {
    return fail(kInternal, error.what());
  }
}

void require(bool condition, const char* what) {
  if (!condition) throw Failure(std::string("error[K1001] ") + what);
}

template <class T> T number(const char* name, const char* value) {
  T result{};
  const char* end = value + std::strlen(value);
  const auto [rest, error] = std::from_chars(value, end, result);
  if (error != std::errc() || rest != end)
    throw Failure("error[K1001] option '" + std::string(name) + "': '" + value + "' is not a number");
  return result;
}

void set_option(BuildOptions& o, const std::string& name, const char* value) {
  static const std::vector<std::string> kNames{"backend",        "disable", "input_formats", "level",
                                               "output_formats", "threads", "time_budget",   "timing_cache"};
  if (name == "backend") o.backend = value;
  else if (name == "input_formats") o.input_formats = value;
  else if (name == "output_formats") o.output_formats = value;
  else if (name == "level") o.optimization_level = number<int>("level", value);
  else if (name == "threads") o.max_threads = number<int>("threads", value);
  else if (name == "time_budget") o.time_budget_s = number<double>("time_budget", value);
  else if (name == "timing_cache") o.timing_cache = value;
  else if (name == "disable") {
    o.disabled.clear();
    for (std::string_view rest = value; !rest.empty();) {
      const size_t comma = std::min(rest.find(','), rest.size());
      o.disabled.emplace_back(rest.substr(0, comma));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  } else {
    throw Failure("error[K1004] there is no option '" + name + "'" + name_hint(name, kNames));
  }
}

const IoTensor* tensor_at(const kiln_engine* engine, size_t tensor) {
  return engine && tensor < engine->io.size() ? &engine->io[tensor] : nullptr;
}

const IoTensor& input_named(const kiln_session& session, const char* name) {
  std::vector<std::string> names;
  for (const IoTensor& io : session.io) {
    if (io.is_input && io.name == name) return io;
    if (io.is_input) names.push_back(io.name);
  }
  throw Failure("error[K1004] the engine has no input '" + std::string(name) + "'" + name_hint(name, names));
}

}  // namespace
}  // namespace kiln::api

using namespace kiln::api;

extern "C" {

const char* kiln_version(void) {
  static const std::string text = version();
  return text.c_str();
}

const char* kiln_error(void) { return last_error.c_str(); }

kiln_options* kiln_options_create(const char* onnx) {
  kiln_options* made = nullptr;
  guarded_c([&] {
    require(onnx, "kiln_options_create: the path of the model is null");
    auto options = std::make_unique<kiln_options>();
    options->options.onnx = onnx;
    made = options.release();
  });
  return made;
}

void kiln_options_free(kiln_options* options) { delete options; }

int kiln_options_profile(kiln_options* options, size_t profile, const char* input, size_t rank, const int64_t* least,
                         const int64_t* best, const int64_t* largest) {
  return guarded_c([&] {
    require(options && input && (rank == 0 || (least && best && largest)), "kiln_options_profile: an argument is null");
    auto& profiles = options->options.profiles;
    require(profile <= profiles.size(), "kiln_options_profile: profiles are numbered without gaps");
    if (profile == profiles.size()) profiles.emplace_back();
    profiles[profile][input] = {{least, least + rank}, {best, best + rank}, {largest, largest + rank}};
  });
}

int kiln_options_set(kiln_options* options, const char* name, const char* value) {
  return guarded_c([&] {
    require(options && name && value, "kiln_options_set: an argument is null");
    set_option(options->options, name, value);
  });
}

int kiln_engine_build(const kiln_options* options, kiln_engine** engine) {
  return guarded_c([&] {
    require(options && engine, "kiln_engine_build: an argument is null");
    const Engine built = Engine::build(options->options);
    *engine = new kiln_engine{built, built.io()};
  });
}

int kiln_engine_load(const char* path, kiln_engine** engine) {
  return guarded_c([&] {
    require(path && engine, "kiln_engine_load: an argument is null");
    const Engine loaded = Engine::load(path);
    *engine = new kiln_engine{loaded, loaded.io()};
  });
}

int kiln_engine_save(const kiln_engine* engine, const char* path) {
  return guarded_c([&] {
    require(engine && path, "kiln_engine_save: an argument is null");
    engine->engine.save(path);
  });
}

void kiln_engine_free(kiln_engine* engine) { delete engine; }

size_t kiln_engine_tensors(const kiln_engine* engine) { return engine ? engine->io.size() : 0; }

const char* kiln_engine_name(const kiln_engine* engine, size_t tensor) {
  const IoTensor* io = tensor_at(engine, tensor);
  return io ? io->name.c_str() : nullptr;
}

const char* kiln_engine_type(const kiln_engine* engine, size_t tensor) {
  const IoTensor* io = tensor_at(engine, tensor);
  return io ? io->type.c_str() : nullptr;
}

int kiln_engine_is_input(const kiln_engine* engine, size_t tensor) {
  const IoTensor* io = tensor_at(engine, tensor);
  return io && io->is_input;
}

size_t kiln_engine_dims(const kiln_engine* engine, size_t tensor, const int64_t** dims) {
  const IoTensor* io = tensor_at(engine, tensor);
  if (dims) *dims = io ? io->dims.data() : nullptr;
  return io ? io->dims.size() : 0;
}

int kiln_session_create(const kiln_engine* engine, int threads, kiln_session** session) {
  return guarded_c([&] {
    require(engine && session, "kiln_session_create: an argument is null");
    *session = new kiln_session{engine->engine.create_session(threads), engine->io, {}, {}};
  });
}

void kiln_session_free(kiln_session* session) { delete session; }

int kiln_session_profile(kiln_session* session, int profile) {
  return guarded_c([&] {
    require(session, "kiln_session_profile: the session is null");
    session->session.set_profile(profile);
  });
}

int kiln_session_shape(kiln_session* session, const char* input, size_t rank, const int64_t* dims) {
  return guarded_c([&] {
    require(session && input && (rank == 0 || dims), "kiln_session_shape: an argument is null");
    const std::vector<int64_t> shape(dims, dims + rank);
    session->session.set_shape(input, shape);
    session->shapes[input] = shape;
  });
}

int kiln_session_input(kiln_session* session, const char* input, const void* data, size_t bytes) {
  return guarded_c([&] {
    require(session && input && (bytes == 0 || data), "kiln_session_input: an argument is null");
    const IoTensor& io = input_named(*session, input);
    const auto shape = session->shapes.find(input);
    const auto* first = static_cast<const std::byte*>(data);
    session->session.set_input(
        input, {io.type, shape != session->shapes.end() ? shape->second : io.dims, {first, first + bytes}});
  });
}

int kiln_session_bind(kiln_session* session, const char* tensor, void* memory, size_t bytes) {
  return guarded_c([&] {
    require(session && tensor, "kiln_session_bind: an argument is null");
    session->session.bind(tensor, memory, bytes);
  });
}

int kiln_session_run(kiln_session* session) {
  return guarded_c([&] {
    require(session, "kiln_session_run: the session is null");
    session->session.enqueue();
    session->session.synchronize();
  });
}

int kiln_session_output(kiln_session* session, const char* output, const void** data, size_t* bytes, size_t* rank,
                        const int64_t** dims) {
  return guarded_c([&] {
    require(session && output, "kiln_session_output: an argument is null");
    HostTensor& held = session->outputs[output] = session->session.output(output);
    if (data) *data = held.data.data();
    if (bytes) *bytes = held.data.size();
    if (rank) *rank = held.dims.size();
    if (dims) *dims = held.dims.data();
  });
}

}  // extern "C"
