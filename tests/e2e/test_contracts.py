"""Contracts: what a participant's change of messages breaks of registered definitions, and what it does not."""
import json
import os
import tempfile
import unittest

import grpc
from google.protobuf import descriptor_pb2

from harness import Case, Participant, Sidecar, fail, wait_until
from test_sagactl import ctl
from test_watching import get

F = descriptor_pb2.FieldDescriptorProto
KINDS = {name[5:].lower(): number for name, number in F.Type.items()}

DEFINITION = """name: checkout
version: 1.0.0
schema: stock
input: stock.v1.Order
steps:
  - name: reserve
    target: inventory
    action:
      method: /stock.v1.Inventory/Reserve
      request: {order_id: =input.order_id, kind: LARGE, item: {sku: =input.sku}, tags: =input.tags, data: =input.data, count: =input.count}
    compensation:
      method: /stock.v1.Inventory/Release
      request: {id: "=has(action.output) ? action.output.id : ''"}
  - name: charge
    after: [reserve]
    target: payment
    action: {method: /stock.v1.Payment/Charge, request: {note: =steps.reserve.output.note}}
    compensation: none
output: {left: =steps.reserve.output.left}
"""

UNTYPED = """name: plain
version: 1.0.0
steps:
  - {name: move, target: mover, action: /move.v1.Mover/Move, compensation: none}
"""


def field(message, name, number, kind, repeated=False, oneof=None, of=None):
    f = message.field.add(name=name, number=number, type=KINDS[kind], label=F.LABEL_REPEATED if repeated else F.LABEL_OPTIONAL)
    if of:
        f.type_name = ".stock.v1." + of
    if oneof is not None:
        f.oneof_index = oneof


def stock():
    file = descriptor_pb2.FileDescriptorProto(name="stock.proto", package="stock.v1", syntax="proto3")
    order = file.message_type.add(name="Order")
    field(order, "order_id", 1, "string")
    field(order, "sku", 2, "string")
    field(order, "tags", 3, "string", repeated=True)
    field(order, "data", 4, "bytes")
    field(order, "count", 5, "int32")
    item = file.message_type.add(name="Item")
    field(item, "sku", 1, "string")
    field(item, "colour", 2, "string")
    reserve = file.message_type.add(name="ReserveRequest")
    field(reserve, "order_id", 1, "string")
    field(reserve, "kind", 2, "enum", of="Kind")
    field(reserve, "item", 3, "message", of="Item")
    field(reserve, "tags", 4, "string", repeated=True)
    field(reserve, "data", 5, "bytes")
    field(reserve, "count", 6, "int32")
    field(reserve, "unused", 7, "string")
    reserve.oneof_decl.add(name="choice")
    reservation = file.message_type.add(name="Reservation")
    field(reservation, "id", 1, "string")
    field(reservation, "left", 2, "int32")
    field(reservation, "note", 3, "string")
    field(reservation, "unread", 4, "string")
    field(file.message_type.add(name="ReleaseRequest"), "id", 1, "string")
    field(file.message_type.add(name="ChargeRequest"), "note", 1, "string")
    file.message_type.add(name="Done")
    kind = file.enum_type.add(name="Kind")
    for number, name in enumerate(("NONE", "SMALL", "LARGE")):
        kind.value.add(name=name, number=number)
    inventory = file.service.add(name="Inventory")
    inventory.method.add(name="Reserve", input_type=".stock.v1.ReserveRequest", output_type=".stock.v1.Reservation")
    inventory.method.add(name="Release", input_type=".stock.v1.ReleaseRequest", output_type=".stock.v1.Done")
    file.service.add(name="Payment").method.add(name="Charge", input_type=".stock.v1.ChargeRequest", output_type=".stock.v1.Done")
    return file


def message(file, name):
    return next(m for m in file.message_type if m.name == name)


def of(file, name, field_name):
    return next(f for f in message(file, name).field if f.name == field_name)


def drop(file, name, field_name, reserve=False):
    m = message(file, name)
    f = of(file, name, field_name)
    if reserve:
        m.reserved_range.add(start=f.number, end=f.number + 1)
    m.field.remove(f)


def change(file, message_name, field_name, /, **values):
    f = of(file, message_name, field_name)
    for key, value in values.items():
        setattr(f, key, value)


def method(file, name, **values):
    m = next(m for s in file.service for m in s.method if m.name == name)
    for key, value in values.items():
        setattr(m, key, value)


def drop_value(file, reserve=False):
    kind = file.enum_type[0]
    kind.value.remove(kind.value[1])
    if reserve:
        kind.reserved_range.add(start=1, end=1)


# What is done to the types, and the findings: rule, whether it breaks, of which call, and a word of the text.
RESERVE, RELEASE = "action of reserve", "compensation of reserve"
CHANGES = {
    "nothing": (lambda f: None, []),
    "a field more": (lambda f: field(message(f, "ReserveRequest"), "more", 20, "string"), []),
    "a method gone": (lambda f: f.service[0].method.remove(f.service[0].method[0]), [("method-removed", True, RESERVE, "Reserve")]),
    "a service gone": (lambda f: f.service.remove(f.service[0]), [("method-removed", True, RESERVE, ""), ("method-removed", True, RELEASE, "")]),
    "a method of streams": (lambda f: method(f, "Release", server_streaming=True), [("method-streams", True, RELEASE, "")]),
    "a request of another type": (lambda f: method(f, "Reserve", input_type=".stock.v1.Item"), [("method-type", True, RESERVE, "takes")]),
    "an answer of another type": (lambda f: method(f, "Reserve", output_type=".stock.v1.Item"), [("method-type", True, RESERVE, "answers")]),
    "a compensation's answer, which nobody reads": (lambda f: method(f, "Release", output_type=".stock.v1.Item"), []),
    "a field that is sent is gone": (lambda f: drop(f, "ReserveRequest", "order_id"), [("field-removed", True, RESERVE, "sets it")]),
    "the same, reserved": (lambda f: drop(f, "ReserveRequest", "order_id", reserve=True), [("field-removed", True, RESERVE, "")]),
    "a field within a message": (lambda f: drop(f, "Item", "sku"), [("field-removed", True, RESERVE, "Item.sku")]),
    "a field that is not sent is gone": (lambda f: drop(f, "ReserveRequest", "unused"), [("field-removed", False, RESERVE, "reserve it")]),
    "the same, reserved, is nothing": (lambda f: drop(f, "ReserveRequest", "unused", reserve=True), []),
    "a field that another step reads": (lambda f: drop(f, "Reservation", "note"), [("field-removed", True, RESERVE, "the action of charge reads it")]),
    "a field that its undo reads": (lambda f: drop(f, "Reservation", "id"), [("field-removed", True, RESERVE, "the compensation of reserve reads it")]),
    "a field that the output reads": (lambda f: drop(f, "Reservation", "left"), [("field-removed", True, RESERVE, "output reads it")]),
    "a field that nobody reads": (lambda f: drop(f, "Reservation", "unread"), [("field-removed", False, RESERVE, "not used here")]),
    "another number": (lambda f: change(f, "ReserveRequest", "order_id", number=9), [("field-renumbered", True, RESERVE, "was number 1 and is 9")]),
    "a number used again": (lambda f: (change(f, "ReserveRequest", "order_id", number=9), change(f, "ReserveRequest", "unused", number=1)),
                            [("field-renumbered", True, RESERVE, "which is unused now"), ("field-renumbered", False, RESERVE, "was number 7")]),
    "another name": (lambda f: change(f, "ReserveRequest", "order_id", name="order", json_name="order"), [("field-renamed", False, RESERVE, "is called order")]),
    "a type that does not read": (lambda f: change(f, "ReserveRequest", "count", type=F.TYPE_STRING), [("field-type", True, RESERVE, "was int32 and is string")]),
    "zigzag": (lambda f: change(f, "ReserveRequest", "count", type=F.TYPE_SINT32), [("field-type", True, RESERVE, "")]),
    "fixed": (lambda f: change(f, "ReserveRequest", "count", type=F.TYPE_FIXED32), [("field-type", True, RESERVE, "")]),
    "a float": (lambda f: change(f, "ReserveRequest", "count", type=F.TYPE_FLOAT), [("field-type", True, RESERVE, "")]),
    "a wider number to send": (lambda f: change(f, "ReserveRequest", "count", type=F.TYPE_INT64), []),
    "a wider number to read": (lambda f: change(f, "Reservation", "left", type=F.TYPE_INT64), [("field-type", False, RESERVE, "not hold all values")]),
    "another sign": (lambda f: change(f, "ReserveRequest", "count", type=F.TYPE_UINT32), [("field-type", False, RESERVE, "not hold all values")]),
    "bytes become text to send": (lambda f: change(f, "ReserveRequest", "data", type=F.TYPE_STRING), [("field-type", True, RESERVE, "")]),
    "text becomes bytes to send": (lambda f: change(f, "ReserveRequest", "order_id", type=F.TYPE_BYTES), []),
    "text becomes bytes to read": (lambda f: change(f, "Reservation", "note", type=F.TYPE_BYTES), [("field-type", True, RESERVE, "")]),
    "a type that nothing uses": (lambda f: change(f, "ReserveRequest", "unused", type=F.TYPE_INT32), [("field-type", False, RESERVE, "")]),
    "a list of one": (lambda f: change(f, "ReserveRequest", "tags", label=F.LABEL_OPTIONAL), [("field-cardinality", True, RESERVE, "was a list")]),
    "one becomes a list": (lambda f: change(f, "Reservation", "note", label=F.LABEL_REPEATED), [("field-cardinality", True, RESERVE, "is a list now")]),
    "into a oneof": (lambda f: change(f, "ReserveRequest", "order_id", oneof_index=0), [("field-oneof", True, RESERVE, "is in a oneof now")]),
    "a value of an enum gone": (lambda f: drop_value(f), [("enum-value-removed", True, RESERVE, "SMALL")]),
    "the same, reserved ": (lambda f: drop_value(f, reserve=True), [("enum-value-removed", False, RESERVE, "reserved")]),
}


class Contracts(unittest.TestCase):
    """A sidecar for each test, since definitions stay."""

    def setUp(self):
        self.sidecar = Sidecar(targets={name: "unix:/nowhere/%s.sock" % name for name in ("inventory", "payment", "mover")})
        self.addCleanup(self.sidecar.close)
        self.client = self.sidecar.client
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.client.RegisterSchema(name="stock", descriptors=self.set_of(stock()))
        self.client.register(DEFINITION)
        self.client.register(UNTYPED)

    @staticmethod
    def set_of(file):
        return descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()

    def write(self, name, data):
        path = os.path.join(self.folder.name, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def ctl(self, *args, code=0, address=None):
        ran = ctl("-a", address or self.sidecar.address, *args)
        self.assertEqual(code, ran.code, ran)
        return ran

    def findings(self, *args, code, address=None):
        document = self.ctl("-o", "json", "contract", "check", *args, code=code, address=address).json()
        return document, [(f["rule"], f["severity"] == "error", f["field"], f["message"]) for f in document["findings"]]

    def compare(self, name, expected, found):
        self.assertEqual(sorted((rule, breaks, "checkout 1.0.0, " + call) for rule, breaks, call, _ in expected),
                         sorted((rule, breaks, field) for rule, breaks, field, _ in found), (name, found))
        for rule, breaks, call, word in expected:
            self.assertTrue(any(word in text for r, b, _, text in found if (r, b) == (rule, breaks)), (name, word, found))

    def test_every_rule_of_the_wire(self):
        """By the contract that the participant's team has, without a sidecar: the address leads nowhere."""
        contract = self.write("inventory.contract", self.ctl("contract", "export", "--target", "inventory").out.encode())
        with open(contract) as f:
            document = json.load(f)
        self.assertEqual(["checkout"], [d["name"] for d in document["definitions"]])
        for name, (alter, expected) in CHANGES.items():
            with self.subTest(name):
                file = stock()
                alter(file)
                breaks = any(b for _, b, _, _ in expected)
                _, found = self.findings("--contract", contract, "--schema", self.write("new.binpb", self.set_of(file)),
                                         code=1 if breaks else 0, address="unix:/nowhere/at-all")
                self.compare(name, expected, found)

    def test_oneof(self):
        """What leaves a oneof, and a oneof that has only another name."""
        def with_oneof(name, *members):
            file = stock()
            for member in members:
                change(file, "ReserveRequest", member, oneof_index=0)
            message(file, "ReserveRequest").oneof_decl[0].name = name
            return file
        self.client.RegisterSchema(name="stock", descriptors=self.set_of(with_oneof("choice", "order_id", "unused")))
        self.client.register(DEFINITION.replace("1.0.0", "2.0.0"))
        for file, rules in ((with_oneof("other", "order_id", "unused"), []), (stock(), ["field-oneof"] * 2),
                            (with_oneof("other", "order_id"), ["field-oneof"] * 2), (with_oneof("choice", "order_id"), ["field-oneof"])):
            _, found = self.findings("--target", "inventory", "--schema", self.write("new.binpb", self.set_of(file)), code=1)
            self.assertEqual(rules, [rule for rule, _, field, _ in found if "2.0.0" in field])

    def test_required(self):
        """Of proto2: a field that nothing sets is required now."""
        file = stock()
        file.syntax = "proto2"
        change(file, "ReserveRequest", "unused", label=F.LABEL_REQUIRED)
        change(file, "ReserveRequest", "order_id", label=F.LABEL_REQUIRED)
        _, found = self.findings("--schema", self.write("new.binpb", self.set_of(file)), code=1)
        self.compare("required", [("field-required", True, RESERVE, "ReserveRequest.unused")], found)

    def test_of_the_sidecar(self):
        """All registered definitions, each by the types that it is pinned to; a set of others' services is not this participant's."""
        good = self.write("good.binpb", self.set_of(stock()))
        document, found = self.findings("--schema", good, code=0)
        self.assertEqual(([], 3, 1), (found, document["calls"], document["definitions"]))
        self.client.RegisterSchema(name="stock", descriptors=self.set_of((lambda f: (drop(f, "ReserveRequest", "count"), f))(stock())[1]))
        newer = DEFINITION.replace("1.0.0", "2.0.0").replace(", count: =input.count", "")
        self.client.register(newer)
        without = stock()
        drop(without, "ReserveRequest", "count", reserve=True)
        bad = self.write("bad.binpb", self.set_of(without))
        _, found = self.findings("--schema", bad, code=1)
        self.assertEqual(["checkout 1.0.0, action of reserve"], [field for _, _, field, _ in found])
        self.ctl("contract", "check", "--schema", bad, "--definition", "plain")
        self.ctl("contract", "check", "--schema", bad, "--target", "payment")
        shown = self.ctl("contract", "check", "--schema", bad, code=1).out
        self.assertIn("bad.binpb: error: checkout 1.0.0, action of reserve: stock.v1.ReserveRequest.count (6) is gone; "
                      "the action of reserve sets it [field-removed]\n", shown)
        self.assertIn("bad.binpb: 1 error\n", shown)
        sarif = self.ctl("-o", "sarif", "contract", "check", "--schema", bad, code=1).json()
        self.assertEqual(["field-removed"], [r["ruleId"] for r in sarif["runs"][0]["results"]])

    def test_what_is_sent_whole_is_used_whole(self):
        self.client.register("""name: whole
version: 1.0.0
schema: stock
input: stock.v1.ReserveRequest
steps:
  - {name: reserve, target: inventory, action: /stock.v1.Inventory/Reserve, compensation: none}
""")
        file = stock()
        drop(file, "Item", "colour", reserve=True)
        _, found = self.findings("--definition", "whole", "--schema", self.write("new.binpb", self.set_of(file)), code=1)
        self.assertEqual([("field-removed", True, "whole 1.0.0, action of reserve")], [f[:3] for f in found])
        self.ctl("contract", "check", "--definition", "checkout", "--schema", self.write("new.binpb", self.set_of(file)))

    def test_without_types(self):
        """Of a definition without types the methods are looked at."""
        file = descriptor_pb2.FileDescriptorProto(name="move.proto", package="move.v1", syntax="proto3")
        file.message_type.add(name="Move")
        file.service.add(name="Mover").method.add(name="Move", input_type=".move.v1.Move", output_type=".move.v1.Move")
        self.ctl("contract", "check", "--schema", self.write("move.binpb", self.set_of(file)))
        file.service[0].method[0].name = "Push"
        _, found = self.findings("--schema", self.write("move.binpb", self.set_of(file)), code=1)
        self.assertEqual([("method-removed", True, "plain 1.0.0, action of move")], [f[:3] for f in found])

    def test_what_goes_wrong(self):
        good = self.write("good.binpb", self.set_of(stock()))
        self.assertIn("needs --schema", self.ctl("contract", "check", code=2).err)
        self.assertIn("needs --target", self.ctl("contract", "export", code=2).err)
        self.assertIn("no registered definition calls nobody", self.ctl("contract", "export", "--target", "nobody", code=4).err)
        self.assertIn("contract takes", self.ctl("contract", "sign", code=2).err)
        self.assertIn("--contract says which", self.ctl("contract", "check", "--contract", good, "--target", "x", code=2).err)
        self.assertIn("is no contract", self.ctl("contract", "check", "--contract", good, "--schema", good, code=2).err)
        later = self.write("later", b'{"contract": 2}')
        self.assertIn("later sagactl", self.ctl("contract", "check", "--contract", later, "--schema", good, code=2).err)
        for broken, words in ((b'{"name": "a"}', "has no source"), (b'{"source": "name: a"}', "cannot be read")):
            torn = self.write("torn", b'{"contract": 1, "schemas": {}, "definitions": [%s]}' % broken)
            ran = self.ctl("contract", "check", "--contract", torn, "--schema", good, code=1)
            self.assertIn(words, ran.err)
            self.assertRegex(ran.out, r"good\.binpb: not checked to its end\n$")
        other = descriptor_pb2.FileDescriptorProto(name="other.proto", package="other.v1", syntax="proto3")
        self.assertIn("no definition calls anything of it",
                      self.ctl("contract", "check", "--schema", self.write("other.binpb", self.set_of(other))).err)


def varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])


def body(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


class Reflecting:
    """Reflection by hand: one file that declares everything, whichever of its services is asked for."""

    def __init__(self, shop, old=False):
        self.file, self.questions = stock(), []
        shop.on("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", fail(grpc.StatusCode.UNIMPLEMENTED) if old else self.answer)
        shop.on("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", self.answer)

    def answer(self, call):
        number, size = call.request[0] >> 3, call.request[1]
        name = call.request[2:2 + size].decode()
        self.questions.append((number, name))
        if number == 4 and any("stock.v1." + s.name == name for s in self.file.service):
            return body(4, body(1, self.file.SerializeToString()))
        return body(7, b"\x08\x05")


SHOP_ALONE = DEFINITION.replace("target: inventory", "target: shop").replace("target: payment", "target: shop")


class Drift(Case):
    options = {"schema_drift_interval": "20ms", "http_listen": "127.0.0.1:0"}

    def target(self):
        return next(t for loop in self.client.operator.Status().loops for t in loop.targets)

    def test_drift(self):
        """What a target tells of itself is compared again and again; what drifts apart is said, counted, and forgiven."""
        drifted = "a target's messages have drifted from what a definition was registered with"
        reflecting = Reflecting(self.shop)
        self.client.RegisterSchema(name="stock", descriptors=Contracts.set_of(stock()))
        self.client.register(SHOP_ALONE)
        wait_until(lambda: self.target().HasField("schema_compared_at"), "never compared")
        self.assertEqual(0, self.target().schema_breaks)
        self.assertEqual([], self.sidecar.log(drifted))
        changed = stock()
        drop(changed, "ReserveRequest", "count")
        drop(changed, "ReserveRequest", "unused")
        reflecting.file = changed
        wait_until(lambda: self.target().schema_breaks == 1, "no drift is seen")
        self.assertIn('sagad_target_schema_breaks{target="shop"} 1\n', get(self.sidecar, "/metrics")[2])
        line, = self.sidecar.logged(drifted)
        self.assertEqual(("shop", "checkout", "1.0.0", "reserve", "action", "field-removed"),
                         tuple(line[key] for key in ("target", "definition", "version", "step", "phase", "rule")))
        self.assertIn("ReserveRequest.count", line["what"])
        reflecting.file = stock()
        wait_until(lambda: self.target().schema_breaks == 0, "still drifted")
        self.assertEqual(1, len(self.sidecar.logged("a target's messages are again as definitions were registered with them")))
        self.assertEqual(1, len(self.sidecar.log(drifted)))
        self.shop.on("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", lambda call: b"\xff")
        wait_until(lambda: self.sidecar.log("a target does not tell of its messages: they cannot be compared"), "nothing is said")

    def test_one_that_tells_nothing_keeps_no_other_from_being_compared(self):
        """The first of two targets does not reflect; what is registered while nothing else changes is compared, too."""
        dumb = Participant()
        self.addCleanup(dumb.stop)
        dumb.on("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", lambda call: b"\xff")
        sidecar = Sidecar(targets={"dumb": dumb.address, "shop": self.shop.address}, **self.options)
        self.addCleanup(sidecar.close)
        target = lambda: next(t for loop in sidecar.client.operator.Status().loops for t in loop.targets if t.name == "shop")
        reflecting = Reflecting(self.shop)
        drop(reflecting.file, "ReserveRequest", "count")
        sidecar.client.RegisterSchema(name="stock", descriptors=Contracts.set_of(stock()))
        sidecar.client.register(SHOP_ALONE.replace("target: shop", "target: dumb").replace("name: checkout", "name: aside"))
        sidecar.client.register(SHOP_ALONE)
        wait_until(lambda: target().schema_breaks == 1, "the second target is compared")
        sidecar.logged("a target does not tell of its messages: they cannot be compared")
        sidecar.client.register(SHOP_ALONE.replace("1.0.0", "2.0.0"))
        wait_until(lambda: target().schema_breaks == 2, "what was registered later is compared")


class Reflect(Case):
    def ctl(self, *args, code=0, stdin=None):
        ran = ctl("-a", self.sidecar.address, *args, stdin=stdin)
        self.assertEqual(code, ran.code, ran)
        return ran

    def test_register_reflect(self):
        """One command from a definition to what can be started: the types come from the targets."""
        for version, old in (("1.0.0", False), ("2.0.0", True)):
            reflecting = Reflecting(self.shop, old)
            out = self.ctl("register", "--reflect", "-", stdin=SHOP_ALONE.replace("1.0.0", version)).out
            self.assertRegex(out, "^stock [0-9a-f]{12} (registered|was registered already)\ncheckout %s registered\n$" % version)
            self.assertEqual([(4, "stock.v1.Inventory"), (4, "stock.v1.Payment")], reflecting.questions)
        self.assertEqual("stock.v1.Order", self.client.GetDefinition(name="checkout").input)
        self.assertIn('"orderId"', self.ctl("input", "checkout").out)

    def test_what_goes_wrong(self):
        third = SHOP_ALONE.replace("1.0.0", "3.0.0")
        self.shop.on("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", fail(grpc.StatusCode.UNIMPLEMENTED))
        self.shop.on("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", fail(grpc.StatusCode.UNIMPLEMENTED))
        self.assertIn("it has no reflection", self.ctl("register", "--reflect", "-", stdin=third, code=1).err)
        self.assertIn("names no schema", self.ctl("register", "--reflect", "-", stdin=UNTYPED, code=1).err)
        self.assertIn("names no target", self.ctl("register", "--reflect", "-", stdin=DEFINITION, code=1).err)
        self.assertIn("--dry-run does not", self.ctl("register", "--reflect", "--dry-run", "-", stdin=third, code=2).err)
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", self.client.Reflect, target="shop", field="services")
        self.refused("INVALID_ARGUMENT", "TARGET_NOT_FOUND", self.client.Reflect, target="nobody", services=["a.B"], field="target")
        for answer, word in ((b"\xff", "something else"), (body(4, body(1, b"\xff")), "no descriptors")):
            self.shop.on("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", lambda call: answer)
            self.assertIn(word, self.refused("FAILED_PRECONDITION", "REFLECTION_FAILED", self.client.Reflect, target="shop",
                                             services=["stock.v1.Inventory"]).text)
