#!/usr/bin/env python3
"""Begins a back end: makes src/backends/NAME/, which builds and runs engines by what the CPU offers, and adds its word to the list.

    scripts/new_backend.py NAME
"""
import re
import sys

import tree

LIST = "src/backends/CMakeLists.txt"
WORDS = re.compile(r"^set\(KILN_BACKENDS ([\w ]+)\)$", re.MULTILINE)

FILES = {
    "device/device.h": """// @Name@ as a device.
#pragma once
#include "device/device.h"

extern "C" kiln::Device* kiln_create_device_@name@(int ordinal, std::string& reason);
""",
    "device/device.cpp": """// @Name@ as a device: on the host's memory, without kernels of its own.
#include "backends/@name@/device/device.h"

#include "device/host_device.h"

namespace kiln::@name@ {
namespace {

class @Name@Device final : public HostDevice {
 public:
  std::string_view name() const override { return "@name@"; }
  int max_threads() const override { return 1; }

 protected:
  DeviceFacts make_facts() const override { return {.name = "@name@", .fingerprint = "any"}; }
  std::unique_ptr<Kernel> make_kernel(std::string_view, const Attributes&) const override { return nullptr; }
};

}  // namespace
}  // namespace kiln::@name@

kiln::Device* kiln_create_device_@name@(int ordinal, std::string& reason) {
  if (!kiln::only_ordinal(ordinal, reason)) return nullptr;
  static kiln::@name@::@Name@Device instance;
  return &instance;
}
""",
    "target/target.h": """// @Name@ as a target.
#pragma once
#include "target/target.h"

namespace kiln::@name@ {
const Target& target();
}
""",
    "target/target.cpp": """// @Name@ as a target: no tactics yet; those of the CPU run what it lacks.
#include "backends/@name@/target/target.h"

#include "passes/pass.h"

namespace kiln::@name@ {
namespace {

class @Name@Target final : public Target {
 public:
  std::string_view name() const override { return "@name@"; }
  Device& device() const override { return open_device("@name@"); }
  std::vector<passes::Pass> pipeline(const TargetOptions&) const override { return {passes::canonicalize(), passes::fuse()}; }
  const TacticList& tactics() const override { return tactics_; }
  const Target* fallback() const override { return &find_target("cpu"); }

 private:
  TacticList tactics_{{}};
};

}  // namespace

const Target& target() {
  static const @Name@Target instance;
  return instance;
}

}  // namespace kiln::@name@
""",
}


def add_word(root, name):
    path = root / LIST
    text = path.read_text()
    found = WORDS.search(text)
    if not found:
        sys.exit(f"{LIST} has no line set(KILN_BACKENDS …)")
    if name in found[1].split():
        sys.exit(f"the back end '{name}' stands in {LIST} already")
    path.write_text(text[:found.end(1)] + f" {name}" + text[found.end(1):])


def main():
    parser = tree.root_option(__doc__)
    parser.add_argument("name", help="lower-case letters, digits and '_'")
    arguments = parser.parse_args()
    name = arguments.name
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name):
        sys.exit(f"'{name}' is no name of a back end: lower-case letters, digits and '_', at most 32")
    folder = arguments.root / "src/backends" / name
    if folder.exists():
        sys.exit(f"{folder} is there already")
    add_word(arguments.root, name)
    class_name = "".join(part.capitalize() for part in name.split("_"))
    for file, text in FILES.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text.replace("@name@", name).replace("@Name@", class_name))
    print(f"made {folder}; its word stands in {LIST}")


if __name__ == "__main__":
    main()
