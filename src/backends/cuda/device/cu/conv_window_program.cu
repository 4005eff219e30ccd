// Convolutions whose window has several taps, with a program for the results.
#define KILN_EPILOGUE_PROGRAM
#include "backends/cuda/device/cu/epilogue_program.cuh"

#include "backends/cuda/device/cu/conv_window.cu"
