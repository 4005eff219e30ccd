// Kiln's API for C and for languages that call C: build, load and run engines. Link -lkiln.
//
// Errors: functions that return int return KILN_OK or a code of docs/errors.md (1004 is K1004); kiln_error() then has the text.
// Ownership: what *_create, *_build and *_load give is freed by the function of that type, null is ignored; a session keeps its engine alive.
// Texts and dimensions that functions return live as long as the engine or session, those of kiln_error() until the thread's next failure.
// Threads: an engine may be used by any number of threads at once, a session and options by one at a time.
// Versions: functions are only ever added; a program built with this header runs with every later library of the same major version.
#ifndef KILN_KILN_C_H
#define KILN_KILN_C_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { KILN_OK = 0 };

typedef struct kiln_options kiln_options; /* of a build */
typedef struct kiln_engine kiln_engine;
typedef struct kiln_session kiln_session; /* one inference at a time */

const char* kiln_version(void); /* "0.1.0" */
const char* kiln_error(
    void); /* of the last call in this thread that failed: "error[K2005] ...", with cause and remedy */

/* Of an ONNX model. Null when there is no memory. */
kiln_options* kiln_options_create(const char* onnx);
void kiln_options_free(kiln_options* options);
/* Bounds of a dynamic input in a profile: `rank` numbers each, least <= best <= largest. Profiles are numbered from 0, without gaps. */
int kiln_options_profile(kiln_options* options, size_t profile, const char* input, size_t rank, const int64_t* least,
                         const int64_t* best, const int64_t* largest);
/* By the names of the program: level (0 to 5), backend, timing_cache, disable (a,b,c), threads, time_budget (seconds), input_formats and
   output_formats (as trtexec's --inputIOFormats: "fp16:hwc8,chw"). */
int kiln_options_set(kiln_options* options, const char* name, const char* value);

/* *engine is written only on success. Building takes seconds to minutes. */
int kiln_engine_build(const kiln_options* options, kiln_engine** engine);
int kiln_engine_load(const char* path, kiln_engine** engine);
int kiln_engine_save(const kiln_engine* engine, const char* path);
void kiln_engine_free(kiln_engine* engine);

/* Inputs, then outputs. */
size_t kiln_engine_tensors(const kiln_engine* engine);
const char* kiln_engine_name(const kiln_engine* engine, size_t tensor); /* null when there is no such tensor */
const char* kiln_engine_type(const kiln_engine* engine, size_t tensor); /* numpy's name: "float32" */
int kiln_engine_is_input(const kiln_engine* engine, size_t tensor);
/* Dimensions, -1 where they depend on the inputs' shapes. Returns the rank; `dims` may be null. */
size_t kiln_engine_dims(const kiln_engine* engine, size_t tensor, const int64_t** dims);

/* At most `threads` threads compute; 0: all. */
int kiln_session_create(const kiln_engine* engine, int threads, kiln_session** session);
void kiln_session_free(kiln_session* session);
int kiln_session_profile(kiln_session* session, int profile); /* before shapes; 0 at first */
int kiln_session_shape(kiln_session* session, const char* input, size_t rank, const int64_t* dims);
/* Copies the values of an input in; its shape is set before, unless it is fixed. */
int kiln_session_input(kiln_session* session, const char* input, const void* data, size_t bytes);
/* An input or output in memory of the caller, without copies: in the engine's format, 64-byte aligned, alive while it is used. Null ends it. */
int kiln_session_bind(kiln_session* session, const char* tensor, void* memory, size_t bytes);
int kiln_session_run(kiln_session* session); /* one inference; the results are there when it returns */
/* A result of the last run, row-major; each pointer may be null. It lives until the next call for this output. */
int kiln_session_output(kiln_session* session, const char* output, const void** data, size_t* bytes, size_t* rank,
                        const int64_t** dims);

#ifdef __cplusplus
}
#endif
#endif
