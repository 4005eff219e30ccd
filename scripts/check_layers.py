#!/usr/bin/env python3
"""Checks who includes whom: the rank table of docs/design.md, header cycles, and the words that only back ends may use."""
import re
import sys
from dataclasses import dataclass

import tree

RUN, BUILD, BOTH = "run side", "build side", "both sides"


@dataclass(frozen=True)
class Room:
    rank: int
    side: str
    sees: tuple[int, ...] | None = None  # ranks under src/; None: all lower ones


ROOMS = {  # folder: room; `*` stands for one folder. A file belongs to the first room that fits.
    "src/base": Room(0, RUN),
    "src/tensor": Room(1, RUN),
    "src/device": Room(2, RUN),
    "src/plan": Room(2, RUN),
    "src/ops": Room(2, BUILD),
    "src/runtime": Room(3, RUN),
    "src/ir": Room(3, BUILD),
    "src/frontends/*": Room(4, BUILD),
    "src/passes": Room(4, BUILD),
    "src/target": Room(5, BUILD),
    "src/backends/*/device": Room(6, RUN, sees=(0, 1, 2)),
    "src/tuner": Room(6, BUILD),
    "include": Room(6, BOTH, sees=()),  # public headers: for plugin, compiler, api and the programs
    "src/backends/*/target": Room(7, BUILD),
    "src/plugin": Room(7, BUILD),
    "src/backends": Room(7, BOTH),  # the list of back ends: sees the rooms inside its folder
    "src/compiler": Room(8, BUILD),
    "src/api/run": Room(8, RUN),
    "src/api/entry": Room(9, RUN),
    "src/api/cuda_runtime": Room(9, RUN),
    "src/api": Room(9, BOTH),
    "tools": Room(10, BOTH, sees=()),
    "server": Room(10, BOTH, sees=()),
    "python": Room(10, BOTH, sees=()),
    "bench": Room(10, BOTH, sees=()),
}
CHECKED = ("src", "include", "tools", "server", "python", "bench")

# (including room, included room): reason why the table does not forbid it.
EXCEPTIONS = {
    ("src/backends/ref/device", "src/ops"): "ref runs every operator by its reference evaluation",
    ("bench", "src/backends/cpu/device"): "benchmarks of single kernels call them",
    ("src/backends/onednn/device", "src/backends/cpu/device"): "oneDNN runs on the same processor: parameters, views and activations are shared",
}

DEVICE_WORD = re.compile(r"\w*(?:cpu|cuda)\w*", re.IGNORECASE)
WORDS_STAY_IN = "src/backends/"
# (start of the path, identifiers, reason): where the words may stand all the same.
ALLOWED_WORDS = [
    ("src/base/", re.compile(r"(?:__get_)?cpuid(?:_count)?|__builtin_cpu_supports"), "what tells a processor's instructions"),
    ("src/api/", re.compile(r"\w*Cuda(?:Engine|Graph)\w*"), "TensorRT's names: ICudaEngine, deserializeCudaEngine, …"),
    ("src/api/", re.compile(r"cuda[A-Z]\w*|cuda_runtime(?:_api)?|CUDART_\w+"), "CUDA's names in TensorRT's signatures, and our cuda_runtime_api.h"),
    ("src/api/", re.compile(r"(?:lib|l)?(?:kiln_)?cudart|kiln_cuda_runtime"), "our library of these names"),
]


def room_of(name):
    """(folder, Room) of a file, or None when the table has none."""
    for pattern, room in ROOMS.items():
        match = re.match(pattern.replace("*", "[^/]+") + "(?=/)", name)
        if match:
            return match[0], room
    return None


def forbidden(name, target):
    """Why `name` may not include `target`, or None."""
    (from_folder, from_room), (to_folder, to_room) = room_of(name), room_of(target)
    if (to_folder + "/").startswith(from_folder + "/") or (from_folder, to_folder) in EXCEPTIONS:
        return None
    if to_room.rank >= from_room.rank:
        how = "upward" if to_room.rank > from_room.rank else "sideways"
        return f"{how}: {from_folder} has rank {from_room.rank}, {to_folder} has rank {to_room.rank}"
    public = to_folder == "include" and from_room.rank > to_room.rank
    if from_room.sees is not None and to_room.rank not in from_room.sees and not public:
        seen = f"src/ of the ranks {from_room.sees}" if from_room.sees else "include/"
        return f"{from_folder} may see only {seen}"
    if from_room.side == RUN and to_room.side == BUILD:
        return f"{from_folder} is on the run side, {to_folder} on the build side"
    return None


def check_ranks(root, names):
    for name in names:
        if room_of(name) is None:
            yield f"{name}: its folder has no rank: add it to ROOMS in scripts/check_layers.py and to docs/design.md"
            continue
        for line, target in tree.includes(root, name):
            if target.startswith("tests/") or room_of(target) is None:
                yield f"{name}:{line}: includes {target}, which is in no room"
                continue
            reason = forbidden(name, target)
            if reason:
                yield f"{name}:{line}: includes {target}; {reason}"


def check_cycles(root, names):
    """Depth-first search; a header met again on its own path closes a cycle."""
    known, done = {name: [target for _, target in tree.includes(root, name)] for name in names}, set()

    def visit(name, path):
        if name in path:
            yield "header cycle: " + " -> ".join(path[path.index(name):] + [name])
        elif name not in done:
            for target in known.get(name, []):
                yield from visit(target, path + [name])
            done.add(name)

    for name in names:
        yield from visit(name, [])


def word_allowed(name, word):
    return any(name.startswith(start) and words.fullmatch(word) for start, words, _ in ALLOWED_WORDS)


def back_end_name(root, names):
    """What finds the name of any back end: as a string, with or without an ordinal, or as a namespace."""
    folders = sorted({name.split("/")[2] for name in names if name.startswith(WORDS_STAY_IN) and name.count("/") > 2})
    either = "|".join(folders) or "(?!)"
    return re.compile(rf"""["'](?:{either})(?::\d+)?["']|\b(?:{either})::""")


def check_words(root, names):
    named = back_end_name(root, names)
    for name in names:
        if not name.startswith("src/") or name.startswith(WORDS_STAY_IN):
            continue
        lines = [(0, name)] + list(enumerate(tree.read(root, name).splitlines(), 1))
        for number, text in lines:
            for word in DEVICE_WORD.findall(text):
                if not word_allowed(name, word):
                    yield f"{name}:{number}: the word '{word}' belongs to {WORDS_STAY_IN}"
            for text_found in named.findall(text):
                yield f"{name}:{number}: {text_found} names a back end, which only {WORDS_STAY_IN} may do"


def main():
    arguments = tree.root_option(__doc__).parse_args()
    root = arguments.root.resolve()
    sources = tree.files(root, CHECKED, tree.CPP_SUFFIXES)
    problems = [*check_ranks(root, sources), *check_cycles(root, sources), *check_words(root, tree.files(root, ("src",)))]
    for problem in problems:
        print(f"layers: {problem}", file=sys.stderr)
    print(f"layers: {len(sources)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
