#!/usr/bin/env python3
"""sidecar/message/ against Python's protobuf: random descriptors, random messages, damaged bytes, damaged JSON.

usage: differential.py PEER [--seed N] [--sets N]"""
import argparse
import json
import math
import os
import random
import re
import struct
import subprocess
import sys
import warnings

from google.protobuf import (any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, empty_pb2, field_mask_pb2, json_format,
                             message, message_factory, struct_pb2, timestamp_pb2, wrappers_pb2)
from google.protobuf.internal import encoder

F = descriptor_pb2.FieldDescriptorProto
SCALARS = [F.TYPE_DOUBLE, F.TYPE_FLOAT, F.TYPE_INT64, F.TYPE_UINT64, F.TYPE_INT32, F.TYPE_FIXED64, F.TYPE_FIXED32, F.TYPE_BOOL,
           F.TYPE_STRING, F.TYPE_BYTES, F.TYPE_UINT32, F.TYPE_SFIXED32, F.TYPE_SFIXED64, F.TYPE_SINT32, F.TYPE_SINT64]
KEYS = [t for t in SCALARS if t not in (F.TYPE_DOUBLE, F.TYPE_FLOAT, F.TYPE_BYTES)]
KNOWN_FILES = [any_pb2, duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2]
KNOWN = ["Any", "Timestamp", "Duration", "FieldMask", "Struct", "Value", "ListValue", "Empty", "DoubleValue", "FloatValue",
         "Int64Value", "UInt64Value", "Int32Value", "UInt32Value", "BoolValue", "StringValue", "BytesValue"]


class Peer:
    """Frames to tests/message/peer.c and back."""

    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, command, a, b=b""):
        frame = command + struct.pack("<I", len(a)) + a + struct.pack("<I", len(b)) + b
        self.process.stdin.write(frame)
        self.process.stdin.flush()
        head = self.process.stdout.read(5)
        assert len(head) == 5, "the peer has ended"
        code, size = struct.unpack("<BI", head)
        return code, self.process.stdout.read(size)

    def close(self):
        self.process.stdin.close()
        return self.process.wait(30)


class Maker:
    """Random descriptors and messages."""

    def __init__(self, rng, number):
        self.rng = rng
        self.package = f"random.p{number}"
        self.proto3 = rng.random() < 0.75
        self.file = descriptor_pb2.FileDescriptorProto(name=f"random{number}.proto", package=self.package,
                                                       syntax="proto3" if self.proto3 else "proto2")
        self.file.dependency.extend(m.DESCRIPTOR.name for m in KNOWN_FILES)
        self.messages = [f"M{i}" for i in range(rng.randint(1, 5))]
        self.enums = [f"E{i}" for i in range(rng.randint(1, 2))]
        for name in self.enums:
            self.make_enum(self.file.enum_type.add(name=name))
        for name in self.messages:
            self.make_message(self.file.message_type.add(name=name))
        self.set = descriptor_pb2.FileDescriptorSet()
        for module in KNOWN_FILES:
            module.DESCRIPTOR.CopyToProto(self.set.file.add())
        self.set.file.add().CopyFrom(self.file)
        self.pool = descriptor_pool.DescriptorPool()
        for file in self.set.file:
            self.pool.Add(file)
        self.factory = message_factory.MessageFactory(self.pool)

    def type(self, name):
        return self.factory.GetPrototype(self.pool.FindMessageTypeByName(f"{self.package}.{name}"))

    def make_enum(self, e):
        numbers = [0] + self.rng.sample([-2**31, -7, -1, 1, 2, 3, 100, 2**31 - 1], self.rng.randint(0, 4))
        for i, number in enumerate(numbers):
            e.value.add(name=f"{e.name}_V{i}", number=number)

    def number(self, used):
        while True:
            n = self.rng.choice([self.rng.randint(1, 20), self.rng.randint(1, 3000), self.rng.randint(20000, 536870911)])
            if n not in used:
                used.add(n)
                return n

    def make_type(self, f, no_message=False):
        r = self.rng.random()
        if r < 0.60 or no_message and r < 0.85:
            f.type = self.rng.choice(SCALARS)
        elif r < 0.70 or no_message:
            f.type = F.TYPE_ENUM
            f.type_name = f".{self.package}.{self.rng.choice(self.enums)}"
        elif r < 0.85:
            f.type = F.TYPE_MESSAGE
            f.type_name = f".{self.package}.{self.rng.choice(self.messages)}"
        else:
            f.type = F.TYPE_MESSAGE
            f.type_name = f".google.protobuf.{self.rng.choice(KNOWN)}"

    def default(self, f):
        """proto2 lets a field say what it is when it is not set; JSON does not show it, but code does."""
        if self.proto3 or f.label == F.LABEL_REPEATED or self.rng.random() < 0.7:
            return
        if f.type in (F.TYPE_DOUBLE, F.TYPE_FLOAT):
            f.default_value = self.rng.choice(["1.5", "-inf", "nan", "inf"])
        elif f.type == F.TYPE_BOOL:
            f.default_value = "true"
        elif f.type == F.TYPE_STRING:
            f.default_value = "standard"
        elif f.type == F.TYPE_BYTES:
            f.default_value = "\\001\\\\\\n"
        elif f.type in SCALARS:
            f.default_value = "7"

    def make_message(self, m):
        used = set()
        oneofs = self.rng.randint(0, 2)
        for i in range(oneofs):
            m.oneof_decl.add(name=f"choice{i}")
        optionals = []
        for i in range(self.rng.randint(0, 14)):
            words = self.rng.choice(["field", "a_b", "long_name_of", "x1_2y", "camelCase", "_lead"])
            f = m.field.add(name=f"{words}_{i}", number=self.number(used), label=F.LABEL_OPTIONAL)
            if self.rng.random() < 0.1:
                f.json_name = self.rng.choice(["strange name", "ünï", 'quo"te', "@x"]) + str(i)
            kind = self.rng.random()
            if kind < 0.15 and self.rng.random() < 0.9:
                self.make_map(m, f)
                continue
            self.make_type(f)
            if kind < 0.4:
                f.label = F.LABEL_REPEATED
                if f.type in SCALARS and f.type not in (F.TYPE_STRING, F.TYPE_BYTES) and self.rng.random() < 0.3:
                    f.options.packed = self.rng.random() < 0.5
            elif kind < 0.6 and self.proto3:
                optionals.append(f)
            elif not self.proto3 and kind < 0.5:
                f.label = F.LABEL_REQUIRED
            self.default(f)
        for i in range(oneofs):
            for n in range(self.rng.randint(1, 3)):
                self.make_type(m.field.add(name=f"choice{i}_{n}", number=self.number(used), label=F.LABEL_OPTIONAL, oneof_index=i))
        for f in optionals:
            f.proto3_optional = True
            f.oneof_index = len(m.oneof_decl)
            m.oneof_decl.add(name=f"_{f.name}")

    def make_map(self, m, f):
        camel = "".join(w[:1].upper() + w[1:] for w in f.name.split("_"))
        entry = m.nested_type.add(name=f"{camel}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=F.LABEL_OPTIONAL, type=self.rng.choice(KEYS))
        self.make_type(entry.field.add(name="value", number=2, label=F.LABEL_OPTIONAL))
        f.label = F.LABEL_REPEATED
        f.type = F.TYPE_MESSAGE
        f.type_name = f".{self.package}.{m.name}.{entry.name}"

    # ---- values ----

    def integer(self, bits, signed):
        low, high = (-2**(bits - 1), 2**(bits - 1) - 1) if signed else (0, 2**bits - 1)
        return self.rng.choice([0, 1, low, high, self.rng.randint(low, high), self.rng.randint(0, 100), high - 1])

    def double(self):
        r = self.rng.random()
        if r < 0.4:
            return self.rng.choice([0.0, -0.0, 1.0, 0.1, -1.5, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan,
                                    2.0**self.rng.randint(-1074, 1023), 123456789.0, 100.0])
        if r < 0.7:
            return round(self.rng.uniform(-1e6, 1e6), self.rng.randint(0, 5))
        return struct.unpack("<d", struct.pack("<Q", self.rng.getrandbits(63) & ~(1 << 52)))[0]

    def single(self):
        r = self.rng.random()
        if r < 0.5:
            value = self.rng.choice([0.0, -0.0, 1.0, 0.1, 3.25, math.inf, math.nan, 1e-45, 2.0**self.rng.randint(-149, 127)])
        else:
            value = struct.unpack("<f", struct.pack("<I", self.rng.getrandbits(31) & ~(1 << 23)))[0]
        return struct.unpack("<f", struct.pack("<f", value))[0]

    def text(self):
        return self.rng.choice(["", "x", "a longer text", "ünïcödé ☃ 😀", 'q"uo\\te', "line\nbreak\ttab", "\x00\x01\x1f\x7f", "</script>",
                                "\u2028", "y" * self.rng.randint(100, 300)])

    def scalar(self, t):
        if t == F.TYPE_DOUBLE:
            return self.double()
        if t == F.TYPE_FLOAT:
            return self.single()
        if t == F.TYPE_BOOL:
            return self.rng.random() < 0.5
        if t == F.TYPE_STRING:
            return self.text()
        if t == F.TYPE_BYTES:
            return self.rng.randbytes(self.rng.choice([0, 1, 2, 3, 20]))
        wide = t in (F.TYPE_INT64, F.TYPE_UINT64, F.TYPE_FIXED64, F.TYPE_SFIXED64, F.TYPE_SINT64)
        return self.integer(64 if wide else 32, t not in (F.TYPE_UINT64, F.TYPE_UINT32, F.TYPE_FIXED32, F.TYPE_FIXED64))

    def value(self, f):
        if f.type == F.TYPE_ENUM:
            numbers = [v.number for v in f.enum_type.values]
            return self.rng.choice(numbers + ([12345] if self.proto3 else []))
        return self.scalar(f.type)

    def fill_known(self, m, depth):
        name = m.DESCRIPTOR.name
        rng = self.rng
        if name == "Timestamp":
            m.seconds = rng.choice([0, 1, -1, 951782400, -62135596800, 253402300799, rng.randint(-62135596800, 253402300799),
                                    253402300800 if rng.random() < 0.05 else 5])
            m.nanos = rng.choice([0, 1, 1000, 1000000, 999999999, rng.randint(0, 999999999)])
        elif name == "Duration":
            seconds = rng.choice([0, 1, -1, 315576000000, -315576000000, rng.randint(-10**6, 10**6), 315576000001 if rng.random() < 0.05 else 3])
            nanos = rng.choice([0, 1, 500000000, 999999999, 1000])
            m.seconds, m.nanos = seconds, -nanos if seconds < 0 else nanos
        elif name == "FieldMask":
            m.paths.extend(rng.choice(["a", "a_b", "a.b_c.d", "long_name_of_it", "x1"]) for _ in range(rng.randint(0, 3)))
        elif name == "Any":
            if rng.random() < 0.8 and depth < 5:
                inner = self.factory.GetPrototype(self.pool.FindMessageTypeByName(
                    f"google.protobuf.{rng.choice(KNOWN)}" if rng.random() < 0.4 else f"{self.package}.{rng.choice(self.messages)}"))()
                self.fill(inner, depth + 1)
                m.type_url = "type.googleapis.com/" + inner.DESCRIPTOR.full_name
                m.value = inner.SerializePartialToString()
        elif name in ("Struct", "Value", "ListValue"):
            json_format.ParseDict(self.any_json({"Struct": dict, "ListValue": list}.get(name), 0), m)
        elif name != "Empty":
            m.value = self.scalar(m.DESCRIPTOR.fields_by_name["value"].type)

    def any_json(self, kind, depth):
        rng = self.rng
        if kind is None:
            kind = rng.choice([dict, list, str, float, bool, None.__class__]) if depth < 3 else str
        if kind is dict:
            return {self.text(): self.any_json(None, depth + 1) for _ in range(rng.randint(0, 3))}
        if kind is list:
            return [self.any_json(None, depth + 1) for _ in range(rng.randint(0, 3))]
        if kind is float:
            return rng.choice([0, 1.5, -7, 1e300, 123456789012])
        return self.text() if kind is str else rng.random() < 0.5 if kind is bool else None

    def fill(self, m, depth=0):
        if m.DESCRIPTOR.full_name.startswith("google.protobuf."):
            self.fill_known(m, depth)
            return
        for f in m.DESCRIPTOR.fields:
            if self.rng.random() < (0.4 if depth < 3 else 0.85) or (depth > 5 and f.message_type):
                continue
            if f.message_type and f.message_type.GetOptions().map_entry:
                self.fill_map(m, f, depth)
            elif f.label == F.LABEL_REPEATED:
                for _ in range(self.rng.randint(0, 4)):
                    if f.message_type:
                        self.fill(getattr(m, f.name).add(), depth + 1)
                    else:
                        getattr(m, f.name).append(self.value(f))
            elif f.message_type:
                getattr(m, f.name).SetInParent()
                self.fill(getattr(m, f.name), depth + 1)
            else:
                setattr(m, f.name, self.value(f))

    def fill_map(self, m, f, depth):
        key, value = (f.message_type.fields_by_name[n] for n in ("key", "value"))
        for _ in range(self.rng.randint(0, 4)):
            if value.message_type:
                self.fill(getattr(m, f.name)[self.value(key)], depth + 1)
            else:
                getattr(m, f.name)[self.value(key)] = self.value(value)


# ---- comparing ----

def same(a, b):
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, (int, float)) and isinstance(b, (int, float)) and not isinstance(a, bool) and not isinstance(b, bool):
        if a == b:
            return True
        # Python writes a float with the first of 6 to 9 digits that reads back; the shortest may be another.
        try:
            return struct.pack("<f", a) == struct.pack("<f", b)
        except OverflowError:
            return False
    return type(a) is type(b) and a == b


def canonical(maker, m):
    """The message as bytes that are equal when messages are: the maps within what an Any holds have an order there, too."""
    copy = type(m)()
    copy.CopyFrom(m)
    sort_anys(maker, copy)
    return copy.SerializePartialToString(deterministic=True)


def sort_anys(maker, m):
    if m.DESCRIPTOR.full_name == "google.protobuf.Any" and m.type_url:
        inner = maker.factory.GetPrototype(maker.pool.FindMessageTypeByName(m.type_url.split("/")[-1]))()
        inner.MergeFromString(m.value)
        m.value = canonical(maker, inner)
        return
    for f, value in m.ListFields():
        if not f.message_type:
            continue
        if f.message_type.GetOptions().map_entry:
            if f.message_type.fields_by_name["value"].message_type:
                for key in value:
                    sort_anys(maker, value[key])
        else:
            for inner in value if f.label == F.LABEL_REPEATED else [value]:
                sort_anys(maker, inner)


def to_dict(maker, m):
    """What Python's JSON says; None when it refuses."""
    try:
        return json.loads(json_format.MessageToJson(m, descriptor_pool=maker.pool))
    except (json_format.Error, message.Error, ValueError, OverflowError, TypeError, KeyError):
        return None


class Run:
    def __init__(self, peer, seed):
        self.peer = peer
        self.seed = seed
        self.counts = {"messages": 0, "damaged": 0, "damaged JSON": 0, "refused by both": 0}

    def fail(self, what, *more):
        print(f"seed {self.seed}: {what}")
        for m in more:
            print("  ", m if not isinstance(m, bytes) else m.hex())
        sys.exit(1)

    # ---- whole messages ----

    def check_write(self, maker, m, wire):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            expected = to_dict(maker, m)
        if caught:
            return None  # as above, within an Any
        code, text = self.peer.ask(b"w", wire, b"p" if maker.rng.random() < 0.3 else b"")
        if expected is None:
            if code == 0:
                self.fail("Python refuses to write this as JSON", wire, text.decode())
            self.counts["refused by both"] += 1
            return None
        if b"a number that JSON does not have" in text or (b"Timestamp: is out of its range" in text and expected is not None):
            return None  # a Value that is NaN, and nanoseconds that are seconds: Python writes them, as other things
        if code != 0:
            self.fail("only Python writes this as JSON", wire, text.decode(), expected)
        ours = json.loads(text)
        if not same(ours, expected):
            self.fail("another JSON", wire, json.dumps(ours, sort_keys=True), json.dumps(expected, sort_keys=True))
        return text

    def check_read(self, maker, cls, text, expected):
        code, wire = self.peer.ask(b"r", text)
        if code != 0:
            self.fail("this JSON is refused", text.decode(), wire.decode())
        back = cls()
        back.ParseFromString(wire)
        if canonical(maker, back) != expected:
            self.fail("this JSON was read as another message", text.decode(), canonical(maker, back), expected)

    def check_python_reads(self, maker, cls, text, expected):
        back = cls()
        try:
            json_format.Parse(text, back, descriptor_pool=maker.pool)
        except message.EncodeError:
            return  # an Any of proto2 without all that is required
        except json_format.ParseError as error:
            # Python does not take the largest float back that it writes, nor what rounds to it.
            if "too large" in str(error) or "too small" in str(error) or "-Infinity" in str(error):
                return
            self.fail("Python does not read this JSON", text.decode(), str(error))
        if canonical(maker, back) != expected:
            self.fail("Python reads this JSON as another message", text.decode(), canonical(maker, back), expected)

    def check_fields(self, maker, m, wire):
        """Each field read alone is what it is in the whole."""
        expected = to_dict(maker, m)
        if expected is None:
            return
        for f in m.DESCRIPTOR.fields:
            code, text = self.peer.ask(b"g", wire, f.name.encode())
            if code != 0:
                self.fail(f"field {f.name} cannot be read", wire, text.decode())
            ours = json.loads(text)
            alone = {f.json_name: expected[f.json_name]} if f.json_name in expected else {}
            if not same(ours, alone):
                self.fail(f"field {f.name} was read as another value", wire, ours, alone)

    def check_message(self, maker, cls):
        m = cls()
        maker.fill(m)
        wire = m.SerializePartialToString()
        self.counts["messages"] += 1
        code, text = self.peer.ask(b"i", wire)
        if code != 0 or json.loads(text)[1] != 0 or (json.loads(text)[2] == 1) != (not m.IsInitialized()):
            self.fail("the message is not as it was inspected", wire, text.decode(), m.IsInitialized())
        text = self.check_write(maker, m, wire)
        if text is not None:
            self.check_read(maker, cls, text, canonical(maker, m))
            self.check_python_reads(maker, cls, text, canonical(maker, m))
            theirs = json_format.MessageToJson(m, descriptor_pool=maker.pool, preserving_proto_field_name=maker.rng.random() < 0.3)
            self.check_read(maker, cls, theirs.encode(), canonical(maker, m))
            self.check_fields(maker, m, wire)
        return m, wire, text

    # ---- damaged bytes ----

    def unknown_field(self, maker):
        rng = maker.rng
        number = rng.choice([19, 2999, 536870910, rng.randint(1, 30)])
        wire_type = rng.choice([0, 1, 2, 3, 5])
        tag = encoder._VarintBytes(number << 3 | wire_type)
        body = {0: lambda: encoder._VarintBytes(rng.getrandbits(rng.randint(1, 64))), 1: lambda: rng.randbytes(8),
                2: lambda: (lambda b: encoder._VarintBytes(len(b)) + b)(rng.randbytes(rng.randint(0, 12))), 5: lambda: rng.randbytes(4),
                3: lambda: self.unknown_field(maker) * rng.randint(0, 2) + encoder._VarintBytes(number << 3 | 4)}[wire_type]()
        return tag + body

    def damage(self, maker, wire, other):
        rng = maker.rng
        kind = rng.random()
        if kind < 0.3:
            return wire + other  # merged
        if kind < 0.55:
            return self.unknown_field(maker) + wire + self.unknown_field(maker)
        if kind < 0.7:
            return wire[:rng.randint(0, len(wire))]
        data = bytearray(wire or b"\0")
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(len(data))] = rng.choice([0, 0xff, rng.getrandbits(8)])
        return bytes(data)

    def check_damaged(self, maker, cls, wire, other):
        data = self.damage(maker, wire, other)
        m = cls()
        self.counts["damaged"] += 1
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                m.MergeFromString(data)
                sound = not caught  # of the end of a group without its beginning it only warns
            except message.DecodeError:
                sound = False
        code, text = self.peer.ask(b"i", data)
        # A tag above 32 bits is cut by Python's C++, and no tag here.
        has_such_a_tag = re.search(rb"[\x80-\xff]{4}[\x10-\x7f]", data)
        if has_such_a_tag and sound and (code != 0 or self.peer.ask(b"w", data)[0] != 0):
            return
        if (code == 0) != sound:
            self.fail("one takes these bytes for a message" + (": Python" if sound else ""), data, text.decode())
        if not sound:
            self.counts["refused by both"] += 1
            return
        # Strings of proto2 need not be UTF-8; Python cannot write those that are not.
        self.check_write(maker, m, data)

    # ---- damaged JSON ----

    def spoil(self, rng, tree):
        """Another value somewhere in the JSON."""
        places = []

        def walk(node, path):
            places.append(path)
            for k, v in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
                walk(v, path + [k])

        walk(tree, [])
        path = rng.choice(places)
        value = rng.choice([None, True, "", "x", "1", "-1", 0, 1.5, -1, 1e400 if rng.random() < 0.1 else 3, 2**31, 2**63, 2**64, -2**63 - 1, 1e10, "1e3", " 1", "0x1",
                            [], {}, [None], [1], {"a": 1}, "NaN", "-Infinity", "AA", "A", "AAA=", "-_8=", "1970-01-01T00:00:00Z", "1970-13-01T00:00:00Z",
                            "2026-02-29T00:00:00Z", "2024-02-29T23:59:60Z", "1s", "1.0000000001s", "true", "2026-01-01T00:00:00+25:00"])
        if not path:
            return value
        node = tree
        for k in path[:-1]:
            node = node[k]
        if isinstance(node, dict) and rng.random() < 0.2:
            node["noSuchField"] = 1
        else:
            node[path[-1]] = value
        return tree

    def check_damaged_json(self, maker, cls, text):
        tree = self.spoil(maker.rng, json.loads(text))
        spoiled = json.dumps(tree)
        if maker.rng.random() < 0.1:
            spoiled = spoiled[:maker.rng.randint(0, len(spoiled))]
        self.counts["damaged JSON"] += 1
        m = cls()
        try:
            json_format.Parse(spoiled, m, descriptor_pool=maker.pool)
            sound = True
        except message.EncodeError:
            return  # an Any of proto2 without all that is required
        except Exception:
            sound = False
        code, wire = self.peer.ask(b"r", spoiled.encode())
        if code == 0 and sound:
            back = cls()
            back.ParseFromString(wire)
            if canonical(maker, back) != canonical(maker, m):
                self.fail("damaged JSON was read as another message", spoiled, canonical(maker, back), canonical(maker, m))
        elif (code == 0) != sound and not self.is_known_difference(spoiled, tree, code, wire):
            self.fail("one takes this JSON for a message" + (": Python" if sound else ""), spoiled, wire if code == 0 else wire.decode())
        else:
            self.counts["refused by both"] += 1

    def is_known_difference(self, spoiled, tree, code, answer):
        """Where Python's JSON is known to take more or less than the mapping says."""
        words = answer.decode(errors="replace") if code != 0 else ""
        return any((
            "base64" in words,                     # Python passes over letters that are none
            "Infinity" in spoiled,                 # Python's own JSON reader takes these as bare numbers
            "NaN" in spoiled,
            code == 0 and '"1e3"' in spoiled,      # whole numbers in quotes may have an exponent
            code != 0 and '" 1"' in spoiled,       # and passes over spaces
            "must be a number" in words and "true" in spoiled,
            'beside "@type"' in words,             # and over keys beside the value of an Any
            "must be an object" in words and ("[]" in spoiled or '""' in spoiled),  # an empty list is as good as an empty object
            "of a value of" in words,              # and takes what int() does for the number of an enum
            "seconds with an s" in words and "0001s" in spoiled,  # rounds what is finer than a nanosecond
            "RFC 3339" in words and "+25:00" in spoiled,  # and takes any offset
            "null" in spoiled or spoiled.strip() == "",
            "range" in words and "float" in words,
        ))


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("peer")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--sets", type=int, default=60)
    arguments = arguments.parse_args()
    peer = Peer(arguments.peer)
    # The library writes its errors past Python.
    sys.stderr = os.fdopen(os.dup(2), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    totals = {}
    for seed in range(arguments.seed, arguments.seed + arguments.sets):
        run = Run(peer, seed)
        maker = Maker(random.Random(seed), seed)
        for name in maker.messages:
            code, words = peer.ask(b"s", maker.set.SerializeToString(), f"{maker.package}.{name}".encode())
            if code != 0:
                run.fail("the descriptors are refused", words.decode())
            cls = maker.type(name)
            last = b""
            for _ in range(8):
                _, wire, text = run.check_message(maker, cls)
                for _ in range(4):
                    run.check_damaged(maker, cls, wire, last)
                if text is not None:
                    for _ in range(4):
                        run.check_damaged_json(maker, cls, text)
                last = wire
        for key, count in run.counts.items():
            totals[key] = totals.get(key, 0) + count
    if peer.close() != 0:
        print("the peer ended badly")
        sys.exit(1)
    print(f"messages: {arguments.sets} random sets of descriptors, " + ", ".join(f"{n} {what}" for what, n in totals.items()) +
          "; as Python's protobuf says")


main()
