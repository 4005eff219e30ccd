"""What the libraries show and need, and that an unmodified makefile builds a program with them under the names of the field."""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

RUN_NAMES = r"createInferRuntime_INTERNAL|getInferLib(Major|Minor|Patch|Build)?Version"
BUILD_NAMES = r"createInferBuilder_INTERNAL|createNvOnnxParser_INTERNAL|getNvOnnxParserVersion"
OWN_API = (r"kiln::api::(Engine|Session|Failure|load_calibration|save_calibration|count_products|rule_names|rule_of|check_place|check_calibration_place|choose_device|devices_tried|load_tensor|load_value|save_tensor|parse_npy|parse_npy_value|npy_bytes|element|element_count|random_tensor|evaluate_model"
           r"|model_io|model_info|load_image|calibrate|rule_name|keep_within_error|name_hint|nearest_name|reduce_model|list_\w+|(load|save)_device_profile|save_bytes|printable|version)\b.*|(typeinfo|typeinfo name|vtable) for kiln::api::Failure")
RUN_SIDE = r"kiln_adopt_work|((typeinfo|typeinfo name|vtable) for )?kiln::.*"
BUILD_SIDE = re.compile(r"kiln::(ir|onnx|passes|ops)::|google::protobuf|kiln::(compile|Tuner|Lowering|Target|Tactic)\b")
VERSIONS = re.compile(r"KILN_(0\.1|PRIVATE)$")

# library: names that any program may use, names that Kiln's own libraries alone may use
C_API = r"kiln_(version|error|(options|engine|session)_\w+)"
PUBLIC = {"libkiln.so": (f"{RUN_NAMES}|{BUILD_NAMES}|{OWN_API}|{C_API}", None),
          "libkiln_runtime.so": (RUN_NAMES, RUN_SIDE),
          "libkiln_cudart.so": (r"cuda\w+", None)}
DEVICE = re.compile(r"libkiln_(\w+)\.so")


def symbols(library: pathlib.Path, *flags: str) -> list[tuple[str, str]]:
    """(kind, name) of each symbol, demangled; a version stays at the end of the name."""
    out = subprocess.run(["nm", "-C", *flags, str(library)], check=True, capture_output=True, text=True).stdout
    return [(m[1], m[2]) for line in out.splitlines() if (m := re.match(r"[0-9a-f ]{16} (\w) (.*)$", line))]


def check_shown(library: pathlib.Path, devices: str) -> None:
    rooms = re.compile(rf"kiln::({devices})::")
    public, private = PUBLIC.get(library.name) or (f"kiln_(create|describe)_device_{DEVICE.fullmatch(library.name)[1]}", None)
    names = [name for kind, name in symbols(library, "-D", "--defined-only") if not VERSIONS.fullmatch(name)]
    assert names, f"{library} shows nothing"
    for name in names:
        plain, _, version = name.partition("@@")
        allowed = private if version == "KILN_PRIVATE" else public
        assert allowed and re.fullmatch(allowed, plain), f"{library.name} shows {name}"
        assert not BUILD_SIDE.search(plain) and not rooms.search(plain), f"{library.name} shows the build side or a back end: {name}"


def check_declared(library: pathlib.Path, header: pathlib.Path) -> None:
    """Every function that the header declares is there to be linked."""
    declared = set(re.findall(r"^(?!using|class|struct|enum|namespace)[A-Za-z][\w:<>, ]* (\w+)\(", header.read_text(), re.MULTILINE))
    assert {"load_tensor", "list_devices", "version"} <= declared, declared
    shown = {name for kind, name in symbols(library, "-D", "--defined-only") if kind == "T"}
    missing = [name for name in sorted(declared) if not any(text.startswith(f"kiln::api::{name}(") or text.startswith(f"kiln::api::{name}[") for text in shown)]
    assert not missing, f"{library.name} does not show {missing} of {header.name}"


def check_single(runtime: pathlib.Path, library: pathlib.Path) -> None:
    """No library has a copy of its own of what the runtime library offers."""
    shared = {name.partition("@@")[0] for kind, name in symbols(runtime, "-D", "--defined-only") if kind == "T"}
    own = {name for kind, name in symbols(library, "--defined-only") if kind in "Tt"}
    copies = sorted(n for n in shared & own if n.startswith("kiln::"))
    assert not copies, f"{library.name} has copies of {copies[:5]}"


def check_needed(library: pathlib.Path, expected: set[str]) -> None:
    text = subprocess.run(["readelf", "-d", str(library)], check=True, capture_output=True, text=True).stdout
    kiln = set(re.findall(r"\(NEEDED\).*\[(lib(?:kiln|protobuf)[^\]]*)\]", text))
    assert kiln == expected, f"{library.name} needs {kiln}"


def make_program(folder: pathlib.Path, lib: pathlib.Path, source: pathlib.Path, compiler: str, link_flags: str) -> pathlib.Path:
    """Lays out the trees that the makefile expects, and runs make."""
    trt, toolkit, work = folder / "TensorRT", folder / "toolkit", folder / "work"
    for directory in (trt, toolkit, work):
        directory.mkdir(exist_ok=True)
    for link, target in ((trt / "include", source / "include"), (trt / "lib", lib / "compat"),
                         (toolkit / "include", source / "include/kiln_compat"), (toolkit / "lib64", lib / "compat")):
        if not link.exists():
            link.symlink_to(target)
    shutil.copy(source / "tests/link/Makefile", work)
    shutil.copy(source / "tests/api_program/main.cpp", work)
    (work / "program").unlink(missing_ok=True)
    subprocess.run(["make", "-s", "-C", work, f"CXX={compiler}", f"TRT={trt}", f"CUDA={toolkit}"], check=True,
                   env={**os.environ, "LDFLAGS": link_flags})
    return work / "program"


def check_program(lib: pathlib.Path, source: pathlib.Path, compiler: str) -> None:
    plain = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        program = make_program(folder, lib, source, compiler, "")
        subprocess.run([program], check=True, env={**plain, "LD_LIBRARY_PATH": str(folder / "TensorRT/lib")})
        assert subprocess.run([program], env=plain, capture_output=True).returncode != 0, "the program runs without the libraries"
        program = make_program(folder, lib, source, compiler, f"-Wl,-rpath,{lib}")
        subprocess.run([program], check=True, env=plain)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("lib", "source"):
        parser.add_argument(name, type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("compiler")
    parser.add_argument("devices", help="names of the back ends that have a device, between commas")
    parser.add_argument("sanitizers", nargs="?", default="")
    arguments = parser.parse_args()
    runtime = arguments.lib / "libkiln_runtime.so"
    libraries = [arguments.lib / name for name in [*PUBLIC, *(f"libkiln_{device}.so" for device in arguments.devices.split(","))]]
    if arguments.sanitizers:  # its own symbols are among the others
        print("skipped: names are those of the sanitizer too", file=sys.stderr)
        return
    for library in libraries:
        check_shown(library, arguments.devices.replace(",", "|"))
        if library != runtime:
            check_single(runtime, library)
    check_declared(arguments.lib / "libkiln.so", arguments.source / "include/kiln/kiln.h")
    check_needed(runtime, set())
    check_needed(arguments.lib / "libkiln_cudart.so", {"libkiln_runtime.so"})
    check_program(arguments.lib, arguments.source, arguments.compiler)


if __name__ == "__main__":
    main()
