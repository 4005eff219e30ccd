"""The script that compiles modules of kernels, with a compiler that only says what the real one does."""
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / 'src/backends/cuda/compile_module.sh'
FUNCTIONS = """ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'sum_f32' for 'sm_90a'
ptxas info    : Function properties for sum_f32
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Compiling entry function 'sum_f16' for 'sm_80'
"""
SERIALIZED = ("ptxas info    : (C7511) Potential Performance Loss: wgmma.mma_async instructions are serialized due to "
              "insufficient register resources for the wgmma pipeline in the function 'sum_f32'\n")


def compile_module(folder, says, code=0):
    compiler = folder / 'compiler'
    compiler.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{says}END\nexit {code}\n")
    os.chmod(compiler, 0o755)
    listed = folder / 'functions'
    run = subprocess.run([SCRIPT, listed, compiler], capture_output=True, text=True, check=False)
    return run, listed.read_text() if listed.exists() else None


def test_functions_are_listed_with_their_architectures(tmp_path):
    run, listed = compile_module(tmp_path, FUNCTIONS)
    assert run.returncode == 0 and run.stderr == ''
    assert listed == 'sum_f16 80\nsum_f32 90\n'


def test_products_that_wait_for_each_other_fail(tmp_path):
    run, listed = compile_module(tmp_path, FUNCTIONS + SERIALIZED)
    assert run.returncode != 0 and listed is None
    assert "serialized" in run.stderr and "'sum_f32'" in run.stderr


def test_errors_and_warnings_are_shown(tmp_path):
    run, listed = compile_module(tmp_path, 'sum.cu(3): error: no such name\n', code=2)
    assert run.returncode != 0 and listed is None and 'no such name' in run.stderr
    run, listed = compile_module(tmp_path, 'sum.cu(3): warning: a value is unused\n' + FUNCTIONS)
    assert run.returncode == 0 and 'a value is unused' in run.stderr and listed
