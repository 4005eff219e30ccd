/* Builds an engine from a model of fixed shapes, runs it on zeros, and prints the first element of each float32 output.
 *   cc run.c $(pkg-config --cflags --libs kiln) -o run && ./run model.onnx */
#include <kiln/kiln_c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed(const char* what) {
  fprintf(stderr, "%s: %s\n", what, kiln_error());
  return 1;
}

static size_t bytes_of(const kiln_engine* engine, size_t tensor) {
  const int64_t* dims;
  size_t rank = kiln_engine_dims(engine, tensor, &dims), count = 1;
  for (size_t i = 0; i < rank; ++i) count *= (size_t)dims[i];
  return count * sizeof(float);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  kiln_options* options = kiln_options_create(argv[1]);
  kiln_engine* engine = NULL;
  kiln_session* session = NULL;
  if (!options || kiln_options_set(options, "level", "1") || kiln_engine_build(options, &engine)) return failed("build");
  if (kiln_session_create(engine, 0, &session)) return failed("session");
  for (size_t t = 0; t < kiln_engine_tensors(engine); ++t) {
    if (!kiln_engine_is_input(engine, t)) continue;
    const size_t bytes = bytes_of(engine, t);
    void* zeros = calloc(1, bytes);
    if (!zeros || kiln_session_input(session, kiln_engine_name(engine, t), zeros, bytes)) return failed("input");
    free(zeros);
  }
  if (kiln_session_run(session)) return failed("run");
  for (size_t t = 0; t < kiln_engine_tensors(engine); ++t) {
    const void* data;
    size_t bytes;
    if (kiln_engine_is_input(engine, t) || strcmp(kiln_engine_type(engine, t), "float32") != 0) continue;
    if (kiln_session_output(session, kiln_engine_name(engine, t), &data, &bytes, NULL, NULL)) return failed("output");
    if (bytes > 0) printf("%s: first element %g\n", kiln_engine_name(engine, t), *(const float*)data);
  }
  kiln_session_free(session);
  kiln_engine_free(engine);
  kiln_options_free(options);
  return 0;
}
