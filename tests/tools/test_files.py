"""Files that the program writes: it replaces nothing but its own, keeps names apart, and says when it could not write."""
import json
import os
import pathlib
import re
import resource
import signal
import stat
import subprocess
import time
import zipfile

import numpy as np
import pytest
from conftest import save_model
from onnx import TensorProto, helper

F = TensorProto.FLOAT
FAST = ["--builderOptimizationLevel=0"]


@pytest.fixture
def model(kiln):
    path = kiln.folder / "model.onnx"
    save_model(path, [helper.make_node("Relu", ["x"], ["y"])], {"x": (F, [2, 3])}, {"y": (F, [2, 3])})
    return path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("option", ["-o", "--saveEngine="])
def test_an_engine_does_not_replace_the_model(kiln, model, option):
    before = contents(kiln.folder)
    words = [option, model] if option == "-o" else [option + str(model)]
    error = kiln.fails(1, "build", model, *words, *FAST, "--noTimingCache")
    assert "K1005" in error and "remedy" in error
    assert contents(kiln.folder) == before


@pytest.mark.parametrize("command", ["build {} -o {}", "bench --onnx={} --saveEngine={}"])
def test_a_place_of_an_engine_is_checked_before_the_build(kiln, model, command):
    other = kiln.folder / "notes.txt"
    other.write_text("notes")
    (kiln.folder / "folder").mkdir()
    before = contents(kiln.folder)
    for path in (other, kiln.folder / "folder", "/proc/none"):
        done = kiln.run(*command.format(model, path).split(), "--noTimingCache", "--verbose", *FAST)
        assert done.returncode == 1 and re.search(r"error\[K100[45]\]", done.stderr) and "remedy" in done.stderr, done.stderr
        assert "canonicalize" not in done.stdout + done.stderr  # no pass has run
    assert contents(kiln.folder) == before


def test_wrong_usage_is_told_before_the_place_of_an_engine(kiln, model):
    error = kiln.fails(2, "bench", f"--onnx={model}", "--saveEngine=/proc/none", "--timeDeserialize")
    assert "--timeDeserialize: needs a saved engine" in error, error


def test_a_dumped_graph_leaves_the_files_of_others(kiln):
    path = kiln.folder / "net.onnx"
    save_model(path, [helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": (F, [2, 64])}, {"y": (F, [2, 64])}, {"w": np.ones((64, 64), np.float32)})
    (kiln.folder / "a.kir.weights").write_text("precious")
    (kiln.folder / "notes.txt").write_text("notes")
    before = contents(kiln.folder)
    for name in ("a.kir", "notes.txt"):
        error = kiln.fails(1, "build", path, "--dump=fuse", f"--dumpFile={name}", *FAST, "--noTimingCache")
        assert "K1005" in error and "remedy" in error and "stays as it is" in error
        assert contents(kiln.folder) == before
    for _ in range(2):
        kiln.ok("build", path, "--dump=fuse", "--dumpFile=b.kir", *FAST, "--noTimingCache")
    assert (kiln.folder / "b.kir.weights").stat().st_size == 64 * 64 * 4


def test_a_timing_cache_does_not_replace_the_model(kiln, model):
    before = model.read_bytes()
    done = kiln.run("build", model, "-o", "m.plan", f"--timingCacheFile={model}", *FAST)
    assert done.returncode == 0 and "the timing cache is not written" in done.stderr
    assert model.read_bytes() == before and (kiln.folder / "m.plan").exists()


@pytest.fixture
def device(kiln):
    """Devices of our own where we may make some: who may do that may also lose those of the system."""
    def make(name, minor):
        path = kiln.folder / name
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, minor))
            path.open("wb").close()
        except PermissionError:
            return pathlib.Path("/dev") / name
        return path

    return make


def test_devices_stay_devices(kiln, model, device):
    null, full = device("null", 3), device("full", 7)
    kiln.ok("build", model, "-o", null, *FAST, "--noTimingCache")
    assert "K1005" in kiln.fails(1, "build", model, "-o", full, *FAST, "--noTimingCache")
    done = kiln.run("build", model, "-o", null, f"--timingCacheFile={null}", *FAST)
    assert done.returncode == 0 and "the timing cache is not written" in done.stderr
    assert stat.S_ISCHR(null.stat().st_mode) and stat.S_ISCHR(full.stat().st_mode)


def test_archives_are_whole(kiln, model):
    for _ in range(2):
        kiln.ok("run", model, "--saveOutputs=out.npz", *FAST)
        assert np.load(kiln.folder / "out.npz")["y"].shape == (2, 3)
    assert sorted(contents(kiln.folder)) == ["model.onnx", "out.npz"]


def test_exports_do_not_replace_the_model(kiln, model, device):
    full = device("full", 7)
    before = model.read_bytes()
    bench = ["bench", f"--onnx={model}", "--iterations=1", "--duration=0", "--warmUp=0", *FAST, "--noTimingCache"]
    for option in ("--exportTimes", "--exportProfile", "--exportLayerInfo", "--exportOutput"):
        assert "K1005" in kiln.fails(1, *bench, f"{option}={model}")
        assert "K1005" in kiln.fails(1, *bench, f"{option}={full}")
        kiln.ok(*bench, f"{option}=out.json")
        kiln.ok(*bench, f"{option}=out.json")
        json.loads((kiln.folder / "out.json").read_text())
    kiln.fails(1, "run", model, f"--saveOutputs={kiln.folder}/model.onnx", *FAST)
    assert model.read_bytes() == before


def test_a_limit_of_file_sizes_is_an_error(kiln, model):
    limits = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    done = subprocess.run([kiln.program, "build", model, "-o", "net.plan", *FAST, "--noTimingCache"], cwd=kiln.folder, preexec_fn=limits, capture_output=True, text=True)
    assert done.returncode == 1 and "K1005" in done.stderr and "make room" in done.stderr and not (kiln.folder / "net.plan").exists()


def test_a_full_disk_is_noticed(kiln, model):
    kiln.ok("build", model, "-o", "m.plan", *FAST, "--noTimingCache")
    for words in (["list"], ["list", "devices"], ["inspect", "m.plan"], ["inspect", "m.plan", "--json"], ["inspect", model], ["run", "m.plan"],
                  ["bench", "--loadEngine=m.plan", *FAST], ["build", model, "--dump=fuse"], ["compare", model], ["completion", "bash"], ["--help"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([kiln.program, *words], cwd=kiln.folder, stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 1 and re.findall(r"\[E\] (error\[K\d+\])", done.stderr) == ["error[K1005]"], (words, done.stderr)


def test_outputs_whose_names_meet_are_kept_apart(kiln):
    names = ["a/b", "a_b", "a\tb", "..", "c"]
    path = kiln.folder / "names.onnx"
    save_model(path, [helper.make_node("Mul", ["x", f"k{i}"], [n]) for i, n in enumerate(names)], {"x": (F, [1])},
               {n: (F, [1]) for n in names}, {f"k{i}": np.full(1, i, np.float32) for i in range(len(names))})
    np.save(kiln.folder / "x.npy", np.ones(1, np.float32))
    kiln.ok("run", path, "--loadInputs=x:x.npy", "--saveOutputs=out", *FAST)
    values = {f.name: float(np.load(f)[0]) for f in (kiln.folder / "out").iterdir()}
    assert values["a_b.npy"] == 1 and values["c.npy"] == 4
    assert sorted(values.values()) == [0, 1, 2, 3, 4]


def test_archives_and_pipes_as_inputs(kiln, model):
    np.savez(kiln.folder / "none.npz")
    assert "holds no array" in kiln.fails(1, "run", model, "--loadInputs=none.npz", *FAST)
    assert "holds no array" in kiln.fails(1, "run", model, "--loadInputs=x:none.npz", *FAST)
    os.mkfifo(kiln.folder / "fifo")
    assert "not a regular file" in kiln.fails(1, "run", model, "--loadInputs=x:fifo", *FAST)


ENDLESS = {"model": "run {} --quiet", "model of a build": "build {} -o out.plan", "inspected": "inspect {}", "input": "run model.onnx --loadInputs=x:{}",
           "engine of a benchmark": "bench --loadEngine={}", "profile": "build model.onnx -o out.plan --deviceProfile={}",
           "calibration": "build model.onnx -o out.plan --int8 --calib={}"}


@pytest.mark.parametrize("use", ENDLESS)
@pytest.mark.parametrize("ending", [".onnx", ".plan", ".npy", ".pb", ".npz", ".json", None])
def test_what_never_ends_is_no_file(kiln, model, use, ending):
    """Pipes that nobody writes to, and /dev/zero."""
    name = f"pipe{ending}" if ending else "/dev/zero"
    if ending:
        os.mkfifo(kiln.folder / name)
    done = subprocess.run([kiln.program, *ENDLESS[use].format(name).split()], cwd=kiln.folder, capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and re.search(r"error\[K\d{4}\]", done.stderr) and "K1000" not in done.stderr, done.stderr


@pytest.mark.parametrize("pipe", [True, False])
def test_a_cache_that_never_ends_is_not_used(kiln, model, pipe):
    if pipe:
        os.mkfifo(kiln.folder / "cache")
    done = subprocess.run([kiln.program, "build", "model.onnx", "-o", "out.plan", f"--timingCacheFile={'cache' if pipe else '/dev/zero'}", *FAST],
                          cwd=kiln.folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "the timing cache is not" in done.stderr


@pytest.fixture
def fed(kiln, model):
    """What the commands below read."""
    kiln.ok("build", model, "-o", "in.plan", *FAST)
    product = kiln.folder / "product.onnx"
    save_model(product, [helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": (F, [2, 3])}, {"y": (F, [2, 4])}, {"w": np.ones((3, 4), np.float32)})
    np.savez(kiln.folder / "in.npz", x=np.ones((2, 2, 3), np.float32))


WRITERS = ["build model.onnx -o {}", "bench --onnx=model.onnx --saveEngine={}", "bench --onnx=model.onnx --exportTimes={}", "bench --onnx=model.onnx --exportOutput={}",
           "bench --onnx=model.onnx --exportLayerInfo={}", "bench --onnx=model.onnx --exportTrace={}", "bench --onnx=model.onnx --sweep --sweepPicture={}",
           "bench --onnx=model.onnx --saveDebugTensors=y:{}", "build model.onnx --dump=final --dumpFile={}", "calibrate product.onnx --data=in.npz -o {}",
           "report in.plan -o {}", "run model.onnx --saveOutputs={}.npz", "run model.onnx --saveOutputs={}.npy", "list devices --device=cpu --saveProfile={}",
           "debug reduce model.onnx --check=false -o {}"]


@pytest.mark.parametrize("command", WRITERS)
def test_a_pipe_is_no_place_for_results(kiln, fed, command):
    """Nobody reads it, which is no reason to wait, and no work is done before that is told."""
    words = command.format("fifo").split()
    os.mkfifo(kiln.folder / re.search(r"fifo[.\w]*", words[-1])[0])
    before = contents(kiln.folder)
    done = subprocess.run([kiln.program, *words], cwd=kiln.folder, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and "error[K1005]" in done.stderr and "is a pipe" in done.stderr and "remedy: " in done.stderr, done.stderr
    assert not re.search("canonicalize|tactics chosen|candidate|ranges seen", done.stderr) and done.stdout == "" and contents(kiln.folder) == before


@pytest.mark.parametrize("place", ["-", "/dev/stdout"])
def test_an_engine_does_not_go_to_the_standard_output(kiln, model, place):
    assert "error[K1005]" in kiln.fails(1, "build", model, "-o", place, *FAST)
    assert not (kiln.folder / "-").exists()


@pytest.mark.parametrize("command", ["calibrate product.onnx --data=in.npz -o {}", "report in.plan -o {}", "run model.onnx --saveOutputs={}"])
def test_a_place_of_results_is_checked_before_the_work(kiln, fed, command):
    (kiln.folder / "notes.npz").write_text("notes")
    before = contents(kiln.folder)
    done = kiln.run(*command.format("notes.npz").split())
    assert done.returncode == 1 and "'notes.npz' exists and holds something else; it stays as it is" in done.stderr, done.stderr
    assert not re.search("tactics chosen|ranges seen", done.stderr) and done.stdout == "" and contents(kiln.folder) == before


@pytest.mark.parametrize(("place", "said"), [("-", "'-' is no file"), ("in.npz.txt", "'in.npz.txt' is no folder"), ("notes.npy", "stays as it is")])
def test_places_of_outputs_are_checked_before_the_work(kiln, fed, place, said):
    for name in ("in.npz.txt", "notes.npy"):
        (kiln.folder / name).write_text("notes")
    before = contents(kiln.folder)
    done = kiln.run("run", "model.onnx", f"--saveOutputs={place}")
    assert done.returncode == 1 and said in done.stderr and "tactics chosen" not in done.stderr, done.stderr
    assert contents(kiln.folder) == before


def test_a_timing_cache_that_is_none(kiln, model):
    before = model.read_bytes()
    done = kiln.run("build", model, "-o", "out.plan", "--timingCacheFile=model.onnx", *FAST)
    assert "error[K3004] 'model.onnx': this is not a timing cache" in done.stderr and "remedy: give another path" in done.stderr, done.stderr
    assert not re.search("delete|remove", done.stderr) and model.read_bytes() == before
    (kiln.folder / "old.times").write_text("KILN timing cache 1\n")
    assert "delete the file" in kiln.run("build", model, "-o", "out.plan", "--timingCacheFile=old.times", *FAST).stderr


def test_what_is_no_engine_is_named(kiln, fed):
    for command in ("bench --loadEngine=in.npz", "inspect in.npz", "run in.npz", "report in.npz -o page.html"):
        assert "error[K3001] 'in.npz': this is not a sound engine" in kiln.fails(1, *command.split()), command
    assert "error[K3001] 'in.npz'" in kiln.fails(2, "compare", "model.onnx", "--loadEngine=in.npz")


def test_shapes_that_the_device_has_no_room_for(kiln):
    save_model(kiln.folder / "any.onnx", [helper.make_node("Relu", ["x"], ["y"])], {"x": (F, ["n", 3])}, {"y": (F, ["n", 3])})
    build = ["build", "any.onnx", "--backend=cpu", "-o", "any.plan", *FAST]
    done = kiln.run(*build, "--maxShapes=x:100000000000x3", "--optShapes=x:2x3", "--minShapes=x:1x3")
    assert done.returncode == 0 and "[W] inputs and values of the largest shapes take " in done.stderr and "remedy: " in done.stderr, done.stderr
    assert "largest shapes" not in kiln.run(*build, "--shapes=x:2x3").stderr


def test_archives_that_grow(kiln):
    """A megabyte that unpacks to a gigabyte."""
    path = kiln.folder / "any.onnx"
    save_model(path, [helper.make_node("Relu", ["x"], ["y"])], {"x": (F, ["n"])}, {"y": (F, ["n"])})
    with zipfile.ZipFile(kiln.folder / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w", force_zip64=True) as entry:
        np.lib.format.write_array_header_1_0(entry, {"descr": "<f4", "fortran_order": False, "shape": (1 << 28,)})
        for _ in range(1 << 30 >> 22):
            entry.write(bytes(1 << 22))
    assert "unpacks from" in kiln.fails(1, "run", path, "--loadInputs=bomb.npz", *FAST)


@pytest.mark.parametrize("value", ["nan", "-1", "inf", "x", "1e400", ""])
def test_numbers_that_are_none(kiln, model, value):
    for option in ("--duration", "--warmUp", "--idleTime", "--buildTime"):
        done = kiln.run("bench", f"--onnx={model}", f"{option}={value}")
        assert done.returncode == 2, (option, value, done.stdout, done.stderr)
        assert len(done.stderr) < 500 and option in done.stderr


def test_names_from_a_model_do_not_reach_the_terminal_raw(kiln):
    path = kiln.folder / "escape.onnx"
    save_model(path, [helper.make_node("Relu", ["x"], ["y"])], {"x": (F, [2])}, {"y": (F, [2])})
    text = path.read_bytes().replace(b"Relu", b"R\x1b[m")
    path.write_bytes(text)
    done = kiln.run("build", path, *FAST)
    assert done.returncode == 1 and "\x1b" not in done.stderr and "\\x1b" in done.stderr
    save_model(path, [helper.make_node("Relu", ["xx"], ["y"], name="nn")], {"xx": (F, [2])}, {"y": (F, [2])})
    path.write_bytes(path.read_bytes().replace(b"xx", b"x\x1b").replace(b"nn", b"n\x1b"))
    kiln.ok("build", path, "-o", "escape.plan", *FAST)
    for shown in ("escape.onnx", "escape.plan"):
        text = kiln.ok("inspect", shown)
        assert "\x1b" not in text and "x\\x1b" in text


def test_output_names_that_are_no_text(kiln):
    """NUL, bytes that are no UTF-8, and names that differ in those alone."""
    names = ["aXb", "aYb", "aZb"]
    path = kiln.folder / "names.onnx"
    save_model(path, [helper.make_node("Mul", ["x", f"k{i}"], [n]) for i, n in enumerate(names)], {"x": (F, [1])}, {n: (F, [1]) for n in names},
               {f"k{i}": np.full(1, i, np.float32) for i in range(len(names))})
    path.write_bytes(path.read_bytes().replace(b"aXb", b"a\0b").replace(b"aYb", b"a\xffb").replace(b"aZb", b"a\x80b"))
    np.save(kiln.folder / "x.npy", np.ones(1, np.float32))
    done = kiln.run("run", path, "--loadInputs=x:x.npy", "--saveOutputs=out", *FAST)
    if done.returncode == 0:
        assert sorted(float(np.load(f)[0]) for f in (kiln.folder / "out").iterdir()) == [0, 1, 2]
    else:
        assert done.returncode == 1 and re.search(r"error\[K2\d{3}\]", done.stderr) and "\0" not in done.stderr, done.stderr


def test_lines_of_the_log_are_short(kiln):
    """Names of layers that are made of hundreds of others."""
    count = 400
    path = kiln.folder / "chain.onnx"
    save_model(path, [helper.make_node("Tanh" if i % 2 else "Neg", [f"v{i}" if i else "x"], [f"v{i + 1}"], name="n" * 60 + str(i)) for i in range(count)],
               {"x": (F, [2])}, {f"v{count}": (F, [2])})
    done = kiln.run("build", path, "-o", "chain.plan", "--verbose", *FAST)
    assert done.returncode == 0 and done.stderr
    assert max(len(line.encode()) for line in done.stderr.splitlines()) <= 1024


def test_memory_that_is_refused_while_running(kiln):
    path = kiln.folder / "fill.onnx"
    save_model(path, [helper.make_node("ConstantOfShape", ["n"], ["y"])], {"n": (TensorProto.INT64, [1])}, {"y": (F, ["m"])})
    np.save(kiln.folder / "n.npy", np.array([1 << 30], np.int64))
    limited = f"ulimit -v {2 << 20}; exec {kiln.program} run fill.onnx --loadInputs=n:n.npy --backend=cpu --builderOptimizationLevel=0"
    done = subprocess.run(["sh", "-c", limited], cwd=kiln.folder, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 1 and "error[K1003]" in done.stderr, (done.returncode, done.stderr)


def endless(path):
    """A loop whose condition never ends it."""
    body = helper.make_graph([helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Neg", ["s"], ["t"])], "body",
                             [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("c", TensorProto.BOOL, []),
                              helper.make_tensor_value_info("s", F, [2])],
                             [helper.make_tensor_value_info("d", TensorProto.BOOL, []), helper.make_tensor_value_info("t", F, [2])])
    save_model(path, [helper.make_node("Loop", ["", "", "x"], ["y"], body=body)], {"x": (F, [2])}, {"y": (F, [2])})


def three_million_boxes(path):
    """None of them hides another: trillions of pairs in one layer."""
    count = 3_000_000
    save_model(path, [helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", "overlap"], ["y"])],
               {"boxes": (F, [1, count, 4]), "scores": (F, [1, 1, count])}, {"y": (TensorProto.INT64, ["n", 3])},
               {"most": np.array(count, np.int64), "overlap": np.array(1, np.float32)})


@pytest.mark.parametrize("network", [endless, three_million_boxes])
def test_what_takes_too_long_is_stopped(kiln, network):
    network(kiln.folder / "long.onnx")
    assert "took longer than" in kiln.fails(1, "run", "long.onnx", "--timeLimit=0.2", *FAST)
    running = subprocess.Popen([kiln.program, "run", "long.onnx", *FAST], cwd=kiln.folder, stderr=subprocess.PIPE, text=True)
    time.sleep(2)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=120)
    assert running.returncode in (130, -signal.SIGINT), errors


def test_limits_of_a_build(kiln):
    model = kiln.folder / "product.onnx"
    save_model(model, [helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": (F, [2, 300])}, {"y": (F, [2, 300])}, {"w": np.ones((300, 300), np.float32)})
    assert "took longer than" in kiln.fails(1, "build", model, "-o", "m.plan", "--buildTimeLimit=0.000001", *FAST)
    assert "K1003" in kiln.fails(1, "build", model, "-o", "m.plan", "--buildMemory=64K", *FAST)
    for value in ("0", "-1", "x", "nan"):
        assert "--buildMemory" in kiln.fails(2, "build", model, f"--buildMemory={value}")
        assert "--buildTimeLimit" in kiln.fails(2, "build", model, f"--buildTimeLimit={value}")
    kiln.ok("build", model, "-o", "m.plan", "--buildMemory=64M", "--buildTimeLimit=1000", *FAST)
