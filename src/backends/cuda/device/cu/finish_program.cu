// What is left to do to the results of a library's kernel, with a program for the results.
#define KILN_EPILOGUE_PROGRAM
#include "backends/cuda/device/cu/epilogue_program.cuh"

#include "backends/cuda/device/cu/finish.cu"
