// Loads an engine file and runs it, with nothing but the run side: ENGINE INPUT OUTPUT, one float32 input and output.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <vector>

#include "runtime/context.h"

namespace {

std::vector<char> read_file(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

int run(const char* path, const char* in_path, const char* out_path) {
  const auto engine = kiln::Engine::load_file(path);
  auto context = engine->create_context();
  auto stream = engine->device().create_stream();
  const int32_t in = engine->main().inputs.at(0), out = engine->main().outputs.at(0);
  std::vector<char> input = read_file(in_path);
  kiln::throw_if_error(context->set_address(in, input.data()));
  const auto* dims = context->dims(out);
  if (!dims) throw kiln::Error(kiln::Code::kShapeNotSet, context->error_text());
  std::vector<char> output(static_cast<size_t>(kiln::element_count(*dims)) * sizeof(float));
  kiln::throw_if_error(context->set_address(out, output.data()));
  kiln::throw_if_error(context->enqueue(*stream));
  kiln::throw_if_error(stream->synchronize());
  std::ofstream(out_path, std::ios::binary).write(output.data(), static_cast<std::streamsize>(output.size()));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 4) return run(argv[1], argv[2], argv[3]);
    std::fputs("give ENGINE INPUT OUTPUT\n", stderr);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
  return 1;
}
