"""Journals of before: typed sagas that an earlier sagad began go on as they would have with it, byte for byte.

tests/fixtures/typed/NAME.sql is a journal with sagas under way, NAME.json what the program that wrote it did with them afterwards. Both are kept as
they are. Another one is written, by the program as it is now: python3 tests/e2e/test_before.py NAME
"""
import glob
import json
import os
import sqlite3
import sys
import threading
import unittest

import grpc

import shapes
from harness import Gate, Participant, Sidecar, fail, state_name
from shapes import Line, Order, Receipt

Code = grpc.StatusCode
FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fixtures", "typed")
RESERVE, RELEASE = "/typed.v1.Shop/Reserve", "/typed.v1.Shop/Release"
DEFINITION = """name: before
version: 1.0.0
schema: typed
input: typed.v1.Order
tags: {order: =input.order_id}
let:
  first: "size(input.lines) > 0 ? input.lines[0].sku : 'none'"
require:
  - {that: input.total_cents > 0, else: it costs nothing}
steps:
  - name: each
    for_each: input.lines
    max_items: 5
    target: {oneof: [shop, other], by: "item.sku == 'far' ? 'other' : 'shop'"}
    action:
      method: /typed.v1.Shop/Reserve
      request: {order_id: "=input.order_id + '/' + string(index)", total_cents: =input.total_cents * 3, lines: [{sku: =item.sku, quantity: 7}], at: =saga.started_at}
    compensation: {method: /typed.v1.Shop/Release, request: {receipt_id: "=has(action.output) ? action.output.receipt_id : action.key"}}
  - name: large
    after: [each]
    when: input.total_cents > 1000000
    target: shop
    action: {method: /typed.v1.Shop/Reserve, request: =input}
    compensation: none
  - name: soft
    after: [each]
    optional: true
    target: other
    metadata: {x-order: =input.order_id}
    action: {method: /typed.v1.Shop/Reserve, request: {order_id: =first}}
    compensation: none
  - name: last
    after: [large, soft]
    target: shop
    action: {method: /typed.v1.Shop/Reserve, request: {order_id: "=first + string(size(steps.each.output)) + steps.soft.outcome + steps.large.outcome"}}
    compensation: {method: /typed.v1.Shop/Release, request: {receipt_id: =action.request.order_id}}
output_type: typed.v1.Receipt
output: {receipt_id: "=steps.last.output.receipt_id + '!'"}
"""


class Shops:
    """Two participants. Each answers what it was asked; what `last` is told hangs on the order."""

    def __init__(self):
        self.all = {name: Participant() for name in ("shop", "other")}
        self.gate = Gate()
        self.kinds = {}
        self.lock = threading.Lock()  # held until what has been started is known
        self.turn(gated=True)

    def turn(self, gated):
        def reserve(call):
            order = Order.FromString(call.request).order_id
            if call.step == "soft":
                return fail(Code.FAILED_PRECONDITION)(call)
            if call.step == "last":
                with self.lock:
                    kind = self.kinds[call.saga]
                if gated and kind in ("commits", "turns"):
                    return self.gate(call)
                if kind in ("turns", "stuck"):
                    return fail(Code.FAILED_PRECONDITION)(call)
            return Receipt(receipt_id="R-" + order).SerializeToString()

        def release(call):
            if gated:
                return fail(Code.INTERNAL)(call)
            return call.request
        for participant in self.all.values():
            participant.on(RESERVE, reserve)
            participant.on(RELEASE, release)

    def calls(self, saga):
        """Each call of a saga once, whatever its attempts: they must be alike."""
        seen = set()
        for name, participant in self.all.items():
            for call in participant.of(saga):
                seen.add((call.step, call.phase, name, call.key, call.request.hex(), call.metadata.get("x-order", "")))
        return sorted(list(call) for call in seen)

    def stop(self):
        self.gate.open()
        for participant in self.all.values():
            participant.stop()


def sidecar_of(shops, **more):
    return Sidecar(loops=1, retention="87600h", targets={name: p.address for name, p in shops.all.items()},
                   default_compensation_retry={"maxAttempts": 2, "initialBackoff": "1ms", "maxBackoff": "1ms"}, **more)


def moved_on():
    """The same types, of which a field has another number and one is gone."""
    files = shapes.shop(["note"])
    order = next(m for m in files.file[1].message_type if m.name == "Order")
    order.field[0].number = 21
    del order.field[2]
    return files.SerializeToString()


def finish(sidecar, shops, kinds):
    """What becomes of the sagas, with participants that have come to a decision."""
    shops.turn(gated=False)
    client = sidecar.client
    told = {}
    for saga, kind in kinds.items():
        if kind == "stuck":
            client.operator.Retry(saga_id=saga, actor="ann")
        end = client.Wait(saga_id=saga).saga
        shown = client.Get(saga_id=saga).saga
        told[saga] = {"kind": kind, "state": state_name(end), "output": json.loads(end.output_json or "null"),
                      "tags": [[t.name, t.value] for t in shown.tags], "steps": [[s.name, s.action, s.compensation] for s in shown.steps],
                      "calls": shops.calls(saga)}
    return told


def begin(shops):
    """A sidecar that was killed with sagas under way, and these."""
    sidecar = sidecar_of(shops)
    client = sidecar.client
    client.RegisterSchema(name="typed", descriptors=shapes.SHOP.SerializeToString())
    client.register(DEFINITION)
    client.RegisterSchema(name="typed", descriptors=moved_on())
    for kind in ("ended", "commits", "turns", "stuck"):
        order = Order(order_id=kind, total_cents=11, lines=[Line(sku="near"), Line(sku="far"), Line(sku="near")])
        with shops.lock:
            saga = client.Start(definition="before", input=order.SerializeToString()).saga_id
            shops.kinds[saga] = kind
        if kind in ("commits", "turns"):
            shops.gate.await_call()
        else:
            client.Wait(saga_id=saga, until_stuck=True)
    sidecar.kill()
    return sidecar


def write(name):
    shops = Shops()
    sidecar = begin(shops)
    with sqlite3.connect(os.path.join(sidecar.directory, "data", "journal.db")) as db:
        text = "\n".join(db.iterdump())
        pragmas = ["PRAGMA %s = %d;" % (p, db.execute("PRAGMA " + p).fetchone()[0]) for p in ("application_id", "user_version")]
    db.close()
    sidecar.start()
    told = finish(sidecar, shops, dict(shops.kinds))
    sidecar.close()
    shops.stop()
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, name + ".sql"), "w") as file:
        file.write("-- Typed sagas under way. Kept as it is: later programs must go on with them as the one that wrote it did (%s.json).\n" % name)
        file.write("\n".join([text] + pragmas) + "\n")
    with open(os.path.join(FOLDER, name + ".json"), "w") as file:
        json.dump(told, file, indent=1)
        file.write("\n")


class Before(unittest.TestCase):
    maxDiff = None

    def test_typed_sagas_go_on_as_they_were(self):
        names = sorted(os.path.splitext(os.path.basename(path))[0] for path in glob.glob(os.path.join(FOLDER, "*.sql")))
        self.assertTrue(names)
        for name in names:
            with self.subTest(name):
                self.go_on(name)

    def go_on(self, name):
        with open(os.path.join(FOLDER, name + ".json")) as file:
            wanted = json.load(file)
        shops = Shops()
        self.addCleanup(shops.stop)
        sidecar = sidecar_of(shops, start=False)
        self.addCleanup(sidecar.close)
        shops.kinds.update({saga: told["kind"] for saga, told in wanted.items()})
        shops.turn(gated=False)
        os.makedirs(os.path.join(sidecar.directory, "data"), mode=0o700)
        with sqlite3.connect(os.path.join(sidecar.directory, "data", "journal.db")) as db, open(os.path.join(FOLDER, name + ".sql")) as file:
            db.executescript(file.read())
        db.close()
        sidecar.start()
        told = finish(sidecar, shops, shops.kinds)
        for saga, want in wanted.items():
            with self.subTest(saga=want["kind"]):
                # What was called before is in the fixture alone; what is called now must be as it was then.
                known = [call for call in want["calls"]]
                for call in told[saga]["calls"]:
                    self.assertIn(call, known)
                self.assertEqual({k: v for k, v in want.items() if k != "calls"}, {k: v for k, v in told[saga].items() if k != "calls"})
        undone = next(saga for saga, want in wanted.items() if want["kind"] == "turns")
        self.assertEqual({("each[0]", "shop"), ("each[1]", "other"), ("each[2]", "shop"), ("last", "shop")},
                         {(call[0], call[2]) for call in told[undone]["calls"] if call[1] == "compensation"})
        # The name stands for other types by now.
        self.assertNotEqual(sidecar.client.GetSchema(name="typed").hash, sidecar.client.GetDefinition(name="before").schema_hash)


if __name__ == "__main__":
    write(sys.argv[1])
