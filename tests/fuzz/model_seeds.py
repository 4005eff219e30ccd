"""Writes into the folder argv[1] the models from which the reader's fuzzer starts, and mutations of each: any field of any message
changed, added, taken away or put elsewhere. The same files on every machine."""
import pathlib
import random
import runpy
import sys

import onnx
from google.protobuf.descriptor import FieldDescriptor

MUTATIONS = 2
INTEGERS = [0, 1, -1, 2, 3, 4, 5, 7, 8, 16, 64, 255, 1 << 16, 1 << 20, 1 << 31, 1 << 40, (1 << 63) - 1, -(1 << 63), -2, -3, -128]
REALS = [0.0, -0.0, 1.0, -1.0, 0.5, 1e-30, 1e30, float("inf"), float("nan")]


class Mutator:
    """Edits one model."""

    def __init__(self, model, seed):
        self.random = random.Random(seed)
        self.messages, self.words = [], [""]
        self.collect(model)

    def collect(self, message):
        self.messages.append(message)
        for field, value in message.ListFields():
            for item in value if field.is_repeated else [value]:
                if field.type == FieldDescriptor.TYPE_MESSAGE:
                    self.collect(item)
                elif field.type == FieldDescriptor.TYPE_STRING:
                    self.words.append(item)

    def integer(self, old, field):
        bits = 32 if field.cpp_type == FieldDescriptor.CPPTYPE_INT32 else 64
        value = self.random.choice([*INTEGERS, old + 1, old - 1])
        unsigned = field.cpp_type == FieldDescriptor.CPPTYPE_UINT64
        return value % (1 << bits) if unsigned else (value + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))

    def bytes(self, old):
        if not old or self.random.randrange(4) == 0:
            return old[:self.random.randrange(len(old) + 1)] + b"\x01" * self.random.randrange(3)
        at = self.random.randrange(len(old))
        return old[:at] + bytes([self.random.randrange(256)]) + old[at + 1:]

    def scalar(self, old, field):
        if field.cpp_type in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
            return self.random.choice(REALS)
        if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
            return self.random.choice(field.enum_type.values).number
        if field.type == FieldDescriptor.TYPE_BYTES:
            return self.bytes(old)
        if field.type == FieldDescriptor.TYPE_STRING:
            return self.random.choice([*self.words, old + "x"])
        return self.integer(old, field)

    def edit(self):
        message = self.random.choice(self.messages)
        field = self.random.choice(message.DESCRIPTOR.fields)
        if field.is_repeated:
            self.edit_list(getattr(message, field.name), field)
        elif field.type == FieldDescriptor.TYPE_MESSAGE or self.random.randrange(8) == 0:
            message.ClearField(field.name)
        else:
            setattr(message, field.name, self.scalar(getattr(message, field.name), field))

    def edit_list(self, items, field):
        kind, count = self.random.randrange(4), len(items)
        if kind == 0 and count:
            del items[self.random.randrange(count)]
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            if count:
                items.add().CopyFrom(items[self.random.randrange(count)])
        elif kind == 1 or not count:
            empty = {FieldDescriptor.TYPE_STRING: "", FieldDescriptor.TYPE_BYTES: b""}.get(field.type, 0)
            items.append(self.scalar(empty, field))
        else:
            at = self.random.randrange(count)
            items[at] = self.scalar(items[at], field)


def main():
    folder = pathlib.Path(sys.argv[1])
    runpy.run_path(str(pathlib.Path(__file__).with_name("onnx_seeds.py")), run_name="__main__")
    for path in sorted(folder.glob("*.onnx")):
        for number in range(MUTATIONS):
            try:
                model = onnx.load(path, load_external_data=False)
            except Exception:  # one of the reader's own tests, which is no model
                break
            mutator = Mutator(model, f"{path.name} {number}")
            for _ in range(1 + mutator.random.randrange(3)):
                mutator.edit()
            path.with_suffix(f".{number}.onnx").write_bytes(model.SerializePartialToString())


if __name__ == "__main__":
    main()
