#!/usr/bin/env python3
"""Checks the lists of operators, rules, kernels and tactics: every definition has its word, every word its definition, in order. And that of
the compute capabilities that sources of GPU kernels ask for."""
import posixpath
import re
import sys

import tree

# macro of a list: what a file of the list's folder defines under each word
DEFINITIONS = {
    "KILN_OP": re.compile(r"^const OpDef (\w+)", re.MULTILINE),
    "KILN_RULE": re.compile(r"^const Rule (\w+)", re.MULTILINE),
    "KILN_ONNX_OP": re.compile(r"^const OnnxOp (\w+)", re.MULTILINE),
    "KILN_TACTIC": re.compile(r"^const Tactic (\w+)", re.MULTILINE),
    "KILN_KERNEL": re.compile(r"^std::unique_ptr<Kernel> make_(\w+)\(", re.MULTILINE),
}
WORD = re.compile(r"^(KILN_\w+)\((\w+)\)$", re.MULTILINE)
ASKED = re.compile(r"^set\(KILN_CUDA_ASKED ([\d ]+)\)", re.MULTILINE)
CONDITION = re.compile(r"__CUDA_ARCH__(?: >= (\d+)\b)?")
OTHER_CONDITION = re.compile(r"__CUDA_ARCH_(?!_|FEAT_SM90_ALL\b)\w+")  # of an architecture or family, which the build does not list
SORTED = "One sorted word"  # the first line of a list whose order is that of the alphabet


def defined(root, folder, macro):
    """{word: file} of the definitions under a folder."""
    names = tree.files(root, (folder,), (".cpp",))
    return {match[1]: name for name in names for match in DEFINITIONS[macro].finditer(tree.read(root, name))}


def check_list(root, name):
    text = tree.read(root, name)
    entries = WORD.findall(text)
    if not entries:
        return  # a list of lists
    macros = sorted({macro for macro, _ in entries})
    if len(macros) > 1 or macros[0] not in DEFINITIONS:
        yield f"{name}: entries of {', '.join(macros)}; one of {', '.join(DEFINITIONS)} is known"
        return
    words = [word for _, word in entries]
    found = defined(root, posixpath.dirname(name), macros[0])
    for word in sorted(found.keys() - set(words)):
        yield f"{found[word]}: defines {word}, which {name} lacks: add {macros[0]}({word})"
    for word in sorted(set(words) - found.keys()):
        yield f"{name}: no file beside it defines {word}"
    for word in sorted({word for word in words if words.count(word) > 1}):
        yield f"{name}: {word} stands there twice"
    if SORTED in text.split("\n", 1)[0]:
        for before, after in zip(words, words[1:]):
            if before > after:
                yield f"{name}: {after} stands behind {before}; the words are sorted"


def check_capabilities(root):
    """Machine code of one PTX serves the capabilities between those that the build knows to be asked for."""
    build = "src/backends/cuda/CMakeLists.txt"
    if not (root / build).is_file():
        return
    asked = ASKED.search(tree.read(root, build))
    if not asked:
        yield f"{build}: has no line 'set(KILN_CUDA_ASKED …)' of the capabilities that sources ask for"
        return
    known = {f"{number}0" for number in asked[1].split()}
    for name in tree.files(root, ("src/backends/cuda",), (".cu", ".cuh", ".h")):
        text = tree.read(root, name)
        for condition in CONDITION.finditer(text):
            if condition[1] not in known:
                yield f"{name}: asks '{condition[0]}'; KILN_CUDA_ASKED in {build} has {', '.join(sorted(known))} for '__CUDA_ARCH__ >= …'"
        for condition in OTHER_CONDITION.findall(text):
            yield f"{name}: asks '{condition}'; of such conditions the build knows __CUDA_ARCH_FEAT_SM90_ALL"


def main():
    root = tree.root_option(__doc__).parse_args().root.resolve()
    names = tree.files(root, ("src",), (".inc",))
    problems = [problem for name in names for problem in check_list(root, name)] + list(check_capabilities(root))
    for problem in problems:
        print(f"lists: {problem}", file=sys.stderr)
    print(f"lists: {len(names)} lists, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
