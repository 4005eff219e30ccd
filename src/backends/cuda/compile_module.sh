#!/bin/sh
# Compiles a module of kernels and lists its functions, each with the compute capability it is for: compile_module.sh LIST COMPILER ARGUMENT...
# Products that the compiler makes wait for each other are an error: they take several times as long.
list=$1
shift
"$@" -Xptxas -v 2> "$list.log" || { cat "$list.log" >&2; exit 1; }
if grep "wgmma.mma_async instructions are serialized" "$list.log" >&2; then exit 1; fi
grep -v "^ptxas info\|bytes stack frame" "$list.log" >&2
sed -n "s/.*Compiling entry function '\([^']*\)' for 'sm_\([0-9]*\)a*'.*/\1 \2/p" "$list.log" | sort -u > "$list"
