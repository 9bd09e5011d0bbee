"""What a definition computes, seen by the participants: mapped requests, conditions, answers that are expected, steps that may fail."""
import json

import grpc

import shapes
from test_sagactl import ctl
from harness import Case, Gate, Sidecar, enum_name, fail, fail_times, reason_name, wait_until
from shapes import Line, Order, Receipt

Code = grpc.StatusCode
SET = shapes.SHOP.SerializeToString()
HEAD = """name: %s
version: 1.0.0
schema: typed
input: typed.v1.Order
steps:
"""
RESERVE = """  - name: reserve
    target: shop
    action:
      method: /typed.v1.Shop/Reserve
      request: {order_id: "='r-' + input.order_id", total_cents: =input.total_cents * 2, lines: ["=input.lines[0]", {sku: gift, quantity: 1}]}
    compensation:
      method: /typed.v1.Shop/Release
      request: {receipt_id: "=has(action.output) ? action.output.receipt_id : action.key"}
"""
CHARGE = """  - name: charge
    after: [reserve]
    target: shop
    action: {method: /typed.v1.Shop/Reserve, request: {order_id: =steps.reserve.output.receipt_id}}
"""


class Flows(Case):
    options = {"default_compensation_retry": {"maxAttempts": 3, "initialBackoff": "1ms", "maxBackoff": "5ms"},
               "default_retry": {"maxAttempts": 2, "initialBackoff": "1ms", "maxBackoff": "5ms"}}

    def setUp(self):
        super().setUp()
        self.client.RegisterSchema(name="typed", descriptors=SET)
        self.shop.on("/typed.v1.Shop/Reserve", lambda call: Receipt(receipt_id="R").SerializeToString())

    def run_saga(self, steps, head=HEAD, order='{"order_id": "A", "total_cents": "21", "lines": [{"sku": "nut", "quantity": 2}]}'):
        name = self.id().rsplit(".", 1)[1]
        self.client.register(head % name + steps)
        return self.client.run(name, input_json=order)

    def refused_for(self, words, steps, head=HEAD):
        refused = self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", self.client.register, head % "refused" + steps)
        self.assertIn(words, refused.text)

    def requests(self, saga, phase="action"):
        return {call.step: call.request for call in self.shop.of(saga.id, phase)}

    # ---- mapped requests ----

    def test_mapped_request(self):
        saga = self.run_saga(RESERVE + CHARGE)
        self.assertState("COMMITTED", saga)
        sent = self.requests(saga)
        wanted = Order(order_id="r-A", total_cents=42, lines=[Line(sku="nut", quantity=2), Line(sku="gift", quantity=1)])
        self.assertEqual(wanted, Order.FromString(sent["reserve"]))
        self.assertEqual(Order(order_id="R"), Order.FromString(sent["charge"]))

    def test_mapped_request_after_restart_and_another_schema(self):
        """The types move on, the sidecar ends and starts: what is sent again is what was sent, byte for byte."""
        self.shop.on("/typed.v1.Shop/Reserve", fail(Code.UNAVAILABLE))
        retry = "    retry: {maxAttempts: 1000, initialBackoff: 50ms, maxBackoff: 50ms}\n"
        sidecar = Sidecar(targets={"shop": self.shop.address})
        try:
            sidecar.client.RegisterSchema(name="typed", descriptors=SET)
            sidecar.client.register(HEAD % "moves_on" + RESERVE + retry)
            saga_id = sidecar.client.Start(definition="moves_on", input_json='{"order_id": "A", "lines": [{"sku": "nut"}]}').saga_id
            wait_until(lambda: len(self.shop.of(saga_id)) >= 2, "two attempts")
            sidecar.client.RegisterSchema(name="typed", descriptors=shapes.shop(["note"]).SerializeToString())
            sidecar.kill()
            before = len(self.shop.of(saga_id))
            sidecar.start()
            wait_until(lambda: len(self.shop.of(saga_id)) >= before + 2, "two more attempts")
            self.shop.on("/typed.v1.Shop/Reserve", lambda call: Receipt(receipt_id="R").SerializeToString())
            self.assertState("COMMITTED", sidecar.client.end(saga_id))
            self.assertEqual(1, len({call.request for call in self.shop.of(saga_id)}))
        finally:
            sidecar.close()

    # ---- metadata, tags, output ----

    def test_metadata(self):
        metadata = "    metadata: {x-order: =input.order_id, x-count: =size(input.lines), x-from: web}\n"
        self.shop.on("/typed.v1.Shop/Reserve",
                     lambda call: fail(Code.NOT_FOUND)(call) if call.step == "charge" else Receipt(receipt_id="R").SerializeToString())
        saga = self.run_saga(RESERVE + metadata + CHARGE + "    metadata: {x-receipt: =steps.reserve.output.receipt_id}\n")
        seen = {(call.step, call.phase): call.metadata for call in self.shop.of(saga.id)}
        for phase in ("action", "compensation"):
            more = seen["reserve", phase]
            self.assertEqual(("A", "1", "web"), (more["x-order"], more["x-count"], more["x-from"]))
        self.assertEqual("R", seen["charge", "action"]["x-receipt"])
        self.assertNotIn("x-order", seen["charge", "action"])

    def test_metadata_of_a_plain_request(self):
        saga = self.run_saga("  - {name: a, target: shop, action: /typed.v1.Shop/Reserve, metadata: {x-order: =input.order_id}}\n")
        self.assertState("COMMITTED", saga)
        self.assertEqual("A", self.shop.of(saga.id)[0].metadata["x-order"])
        self.assertEqual("A", Order.FromString(self.shop.of(saga.id)[0].request).order_id)

    def test_metadata_that_is_none(self):
        saga = self.run_saga("  - {name: a, target: shop, action: /typed.v1.Shop/Reserve, metadata: {x-order: =input.order_id}}\n",
                             order='{"order_id": "\\u00e9"}')
        self.assertState("COMPENSATED", saga)
        self.assertIn("printable ASCII", saga.reason_message)

    def test_metadata_refused(self):
        self.refused_for("said by gRPC or the sidecar", RESERVE + "    metadata: {saga-id: x}\n")
        self.refused_for("small letters", RESERVE + "    metadata: {X-Order: x}\n")
        self.refused_for("should be a string", RESERVE + "    metadata: {x-order: =input.lines}\n")

    TAGGED = HEAD.replace("steps:", "tags: {order: =input.order_id, shop: north, lines: =size(input.lines)}\nsteps:")

    def test_tags(self):
        """Recorded at the start, shown, and looked for among the live and the ended, also after a restart."""
        saga = self.run_saga(RESERVE, self.TAGGED, '{"order_id": "T-1", "lines": [{"sku": "a"}]}')
        other = self.client.run("test_tags", input_json='{"order_id": "T-2", "lines": [{"sku": "a"}]}')
        self.shop.on("/typed.v1.Shop/Reserve", fail(Code.UNAVAILABLE))
        self.client.register(self.TAGGED.replace("1.0.0", "1.1.0") % "test_tags" + RESERVE +
                             "    retry: {maxAttempts: 1000, initialBackoff: 10s, maxBackoff: 10s}\n")
        live = self.client.Start(definition="test_tags", input_json='{"order_id": "T-1", "lines": [{"sku": "a"}]}').saga_id
        tags = lambda saga: {tag.name: tag.value for tag in saga.tags}
        self.assertEqual({"order": "T-1", "shop": "north", "lines": "1"}, tags(self.client.saga(saga.id)))
        found = lambda *wanted: [s.id for s in self.client.List(tags=[dict(name=n, value=v) for n, v in wanted]).sagas]
        self.assertEqual([live, saga.id], found(("order", "T-1")))
        self.assertEqual([other.id], found(("order", "T-2"), ("shop", "north")))
        self.assertEqual([], found(("order", "T-2"), ("shop", "south")))
        self.assertEqual("T-1", tags(next(s for s in self.client.List().sagas if s.id == saga.id))["order"])
        listed = ctl("-a", self.sidecar.address, "list", "--tag", "order=T-2").out
        self.assertIn(other.id, listed)
        self.assertNotIn(saga.id, listed)
        self.assertIn("order=T-1", ctl("-a", self.sidecar.address, "get", live).out)
        self.client.Cancel(saga_id=live)
        self.assertState("COMPENSATED", self.client.end(live))
        self.assertEqual([live, saga.id], found(("order", "T-1")))

    def test_tags_refused(self):
        self.refused_for("should be a string", RESERVE, HEAD.replace("steps:", "tags: {lines: =input.lines}\nsteps:"))
        self.client.register(self.TAGGED % "tag_too_long" + RESERVE)
        failure = self.refused("INVALID_ARGUMENT", "EXPRESSION_FAILED", self.client.Start, definition="tag_too_long",
                               input_json='{"order_id": "%s"}' % ("x" * 300))
        self.assertIn("256 bytes", failure.text)
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", self.client.List, tags=[dict(name=str(i)) for i in range(17)], field="tags")

    def test_output(self):
        head = HEAD.replace("steps:", "output: {receipt: =steps.charge.output.receipt_id, lines: =size(input.lines), from: web, n: 7, ok: true}\nsteps:")
        saga = self.run_saga(RESERVE + CHARGE, head)
        wanted = {"receipt": "R", "lines": 1, "from": "web", "n": 7, "ok": True}
        self.assertEqual(wanted, json.loads(saga.output_json))
        self.assertEqual(saga, self.client.end(saga.id))
        got = self.client.Get(saga_id=saga.id, include_payloads=True, payloads_as_json=True).saga
        self.assertEqual((saga.output, wanted), (got.output, json.loads(got.output_json)))
        self.assertEqual((b"", ""), (self.client.saga(saga.id).output, self.client.saga(saga.id).output_json))
        out = ctl("-a", self.sidecar.address, "wait", saga.id).out.splitlines()
        self.assertEqual(wanted, json.loads(out[1]))

    def test_output_of_a_type(self):
        saga = self.run_saga(RESERVE, HEAD.replace("steps:", "output: =steps.reserve.output\nsteps:"))
        self.assertEqual(Receipt(receipt_id="R"), Receipt.FromString(saga.output))
        self.client.register(HEAD.replace("steps:", "output_type: typed.v1.Line\noutput: {sku: =saga.id, quantity: 3}\nsteps:") % "named" + RESERVE)
        saga = self.client.run("named", input_json='{"lines": [{}]}')
        self.assertEqual(Line(sku=saga.id, quantity=3), Line.FromString(saga.output))

    def test_output_that_fails(self):
        """What is done is done: the saga is committed, and says why it has no output."""
        saga = self.run_saga(RESERVE, HEAD.replace("steps:", 'output: {x: "=input.lines[7].sku"}\nsteps:'))
        self.assertState("COMMITTED", saga)
        self.assertEqual((b"", ""), (saga.output, saga.output_json))
        self.assertIn("input.lines[7]", saga.reason_message)

    def test_output_refused(self):
        self.refused_for("should be a message", RESERVE, HEAD.replace("steps:", "output: =saga.id\nsteps:"))
        self.refused_for("no such message", RESERVE, HEAD.replace("steps:", "output_type: typed.v1.Nothing\noutput: {a: 1}\nsteps:"))
        self.refused_for("no such field", RESERVE, HEAD.replace("steps:", "output_type: typed.v1.Line\noutput: {a: 1}\nsteps:"))
        self.refused_for("is not there", RESERVE, HEAD.replace("steps:", "output_type: typed.v1.Line\nsteps:"))

    def test_why_it_was_undone(self):
        self.answers(lambda call: fail(Code.NOT_FOUND, "no such order")(call))
        saga = self.run_saga(RESERVE)
        self.assertEqual(("ACTION_REJECTED", "reserve", "no such order"),
                         (reason_name(saga.reason), saga.reason_step, saga.reason_message))
        self.assertIn("no such order", ctl("-a", self.sidecar.address, "wait", saga.id).out)

    # ---- expect ----

    EXPECT = "    expect:\n      - {that: action.output.receipt_id == 'R', else: it was declined%s}\n"

    def test_expected_answer(self):
        self.assertState("COMMITTED", self.run_saga(RESERVE + self.EXPECT % "" + CHARGE))

    def test_answer_that_is_undone(self):
        """What answered OK has happened: its own undo is owed."""
        self.shop.on("/typed.v1.Shop/Reserve", lambda call: Receipt(receipt_id="other").SerializeToString())
        saga = self.run_saga(RESERVE + self.EXPECT % "" + CHARGE)
        self.assertState("COMPENSATED", saga)
        self.assertEqual("UNEXPECTED_ANSWER", self.reason(saga))
        self.assertEqual({"reserve": Receipt(receipt_id="other").SerializeToString()}, self.requests(saga, "compensation"))
        self.assertNotIn("charge", self.requests(saga))
        self.assertIn("it was declined", [e.message for e in self.client.Get(saga_id=saga.id).timeline])

    def test_answer_that_means_no(self):
        self.shop.on("/typed.v1.Shop/Reserve", lambda call: Receipt(receipt_id="other").SerializeToString())
        saga = self.run_saga(RESERVE + self.EXPECT % ", undo: false" + CHARGE)
        self.assertState("COMPENSATED", saga)
        self.assertEqual("ACTION_REJECTED", self.reason(saga))
        self.assertEqual({}, self.requests(saga, "compensation"))

    def test_answer_that_cannot_be_judged(self):
        """A condition that fails leaves the outcome unknown: what may have been done is undone."""
        expect = "    expect:\n      - {that: 10 / (size(action.output.receipt_id) - 1) > 0, else: too short}\n"
        saga = self.run_saga(RESERVE + expect + CHARGE)
        self.assertState("COMPENSATED", saga)
        self.assertEqual("ACTION_UNKNOWN", self.reason(saga))
        self.assertTrue(self.requests(saga, "compensation")["reserve"].endswith(b"/reserve/action"))

    def reason(self, saga):
        return reason_name(self.client.saga(saga.id).reason)

    def test_expect_refused(self):
        pivot = RESERVE.replace("    target", "    pivot: true\n    target", 1)
        self.refused_for("needs undo: false, since the saga cannot turn back", pivot + self.EXPECT % "")
        self.refused_for("needs undo: false, since an optional step", RESERVE + "    optional: true\n" + self.EXPECT % "")
        self.refused_for("should be bool", RESERVE + "    expect: [{that: action.output.receipt_id, else: x}]\n")
        self.refused_for("else", RESERVE + "    expect: [{that: true}]\n")

    # ---- optional ----

    OPTIONAL = RESERVE + "    optional: true\n"
    AFTER = """  - name: charge
    after: [reserve]
    target: shop
    action: {method: /typed.v1.Shop/Reserve, request: {order_id: "=has(steps.reserve.output) ? 'with' : steps.reserve.outcome"}}
"""

    def answers(self, reserve):
        self.shop.on("/typed.v1.Shop/Reserve",
                     lambda call: reserve(call) if call.step == "reserve" else Receipt(receipt_id="R").SerializeToString())

    def test_optional_step_done(self):
        saga = self.run_saga(self.OPTIONAL + self.AFTER)
        self.assertState("COMMITTED", saga)
        self.assertEqual("with", Order.FromString(self.requests(saga)["charge"]).order_id)

    def test_optional_step_rejected(self):
        self.answers(fail(Code.NOT_FOUND))
        saga = self.run_saga(self.OPTIONAL + self.AFTER)
        self.assertState("COMMITTED", saga)
        self.assertEqual("rejected", Order.FromString(self.requests(saga)["charge"]).order_id)
        self.assertEqual({}, self.requests(saga, "compensation"))

    def test_optional_step_unknown_is_undone_first(self):
        self.answers(fail(Code.INTERNAL))
        saga = self.run_saga(self.OPTIONAL.replace("target: shop", "target: shop\n    timeout: 100ms", 1) + self.AFTER)
        self.assertState("COMMITTED", saga)
        self.assertEqual("unknown", Order.FromString(self.requests(saga)["charge"]).order_id)
        self.assertEqual([("reserve", "action"), ("reserve", "compensation"), ("charge", "action")],
                         list(dict.fromkeys((call.step, call.phase) for call in self.shop.of(saga.id))))

    def test_optional_step_whose_request_fails(self):
        steps = self.OPTIONAL.replace("=input.lines[0]", "=input.lines[7]")
        saga = self.run_saga(steps + self.AFTER)
        self.assertState("COMMITTED", saga)
        self.assertEqual(["charge"], list(self.requests(saga)))

    def test_optional_refused(self):
        self.refused_for("the pivot is never optional", self.OPTIONAL.replace("    target", "    pivot: true\n    target", 1))
        self.refused_for("has(steps.reserve.output)",
                         self.OPTIONAL + "  - {name: b, after: [reserve], target: shop, action: {method: /typed.v1.Shop/Release, request: {output: reserve}}}\n")

    # ---- for_each ----

    LOOP = """  - name: reserve
    for_each: input.lines
    max_items: 5
    target: shop
    action:
      method: /typed.v1.Shop/Reserve
      request: {order_id: "=item.sku + '/' + string(index)", lines: [=item]}
    compensation:
      method: /typed.v1.Shop/Release
      request: {receipt_id: "=item.sku + ' ' + action.key"}
"""
    SUM = """  - name: charge
    after: [reserve]
    target: shop
    action: {method: /typed.v1.Shop/Reserve, request: {order_id: "=steps.reserve.output.map(o, o.receipt_id).join('+')", total_cents: =size(steps.reserve.outcome)}}
"""
    THREE = '{"order_id": "A", "lines": [{"sku": "a"}, {"sku": "b"}, {"sku": "c"}]}'

    def by_order(self):
        self.shop.on("/typed.v1.Shop/Reserve",
                     lambda call: Receipt(receipt_id="R" + Order.FromString(call.request).order_id).SerializeToString())

    def test_loop(self):
        self.by_order()
        saga = self.run_saga(self.LOOP + self.SUM, order=self.THREE)
        self.assertState("COMMITTED", saga)
        calls = self.shop.of(saga.id, "action")
        self.assertEqual(["reserve[0]", "reserve[1]", "reserve[2]", "charge"], [call.step for call in calls])
        self.assertEqual(["a/0", "b/1", "c/2", "Ra/0+Rb/1+Rc/2"], [Order.FromString(call.request).order_id for call in calls])
        self.assertEqual(3, Order.FromString(calls[3].request).total_cents)
        self.assertEqual(4, len({call.key for call in calls}))
        self.assertEqual(["reserve[0]", "reserve[1]", "reserve[2]", "charge"], [step.name for step in self.client.saga(saga.id).steps])
        self.assertIn("reserve[1]", {event.step for event in self.client.Get(saga_id=saga.id).timeline})

    def test_loop_of_which_one_fails(self):
        """What was done is undone in reverse order, each instance by itself; what had not begun is not."""
        self.shop.on("/typed.v1.Shop/Reserve",
                     lambda call: fail(Code.NOT_FOUND, "no b")(call) if call.step == "reserve[1]" else Receipt(receipt_id="R").SerializeToString())
        saga = self.run_saga(self.LOOP.replace('{"sku": "b"}', '') + self.SUM, order=self.THREE)
        self.assertState("COMPENSATED", saga)
        self.assertEqual(("reserve[1]", "no b"), (saga.reason_step, saga.reason_message))
        undone = self.shop.of(saga.id, "compensation")
        self.assertEqual(["reserve[0]"], [call.step for call in undone])
        self.assertEqual("a %s/reserve[0]/action" % saga.id, Receipt.FromString(undone[0].request).receipt_id)

    def test_loop_undone_in_reverse(self):
        self.shop.on("/typed.v1.Shop/Reserve",
                     lambda call: fail(Code.NOT_FOUND)(call) if call.step == "charge" else Receipt(receipt_id="R").SerializeToString())
        for head in (HEAD, HEAD.replace("steps:", "compensation_order: dependency\nsteps:").replace("1.0.0", "1.1.0")):
            saga = self.run_saga(self.LOOP + self.SUM, head, self.THREE)
            self.assertState("COMPENSATED", saga)
            undone = [call.step for call in self.shop.of(saga.id, "compensation")]
            self.assertEqual(["reserve[2]", "reserve[1]", "reserve[0]"], undone if head == HEAD else sorted(undone, reverse=True))

    def test_empty_loop(self):
        saga = self.run_saga(self.LOOP + self.SUM, order='{"order_id": "A"}')
        self.assertState("COMMITTED", saga)
        self.assertEqual(["charge"], [call.step for call in self.shop.of(saga.id)])
        saga = self.run_saga(self.LOOP, HEAD.replace("1.0.0", "1.1.0"), '{"order_id": "A"}')
        self.assertState("COMMITTED", saga)

    def test_loop_side_by_side(self):
        gate = Gate(Receipt(receipt_id="R").SerializeToString())
        self.shop.on("/typed.v1.Shop/Reserve", gate)
        self.client.register(HEAD % "beside" + self.LOOP.replace("max_items: 5", "max_items: 5\n    max_parallel: 2"))
        saga_id = self.client.Start(definition="beside", input_json=self.THREE).saga_id
        gate.await_call()
        gate.await_call()
        states = [enum_name("ActionState", s.action) for s in self.client.saga(saga_id).steps]
        self.assertEqual(["ACTION_STATE_STARTED", "ACTION_STATE_STARTED", "ACTION_STATE_PENDING"], states)
        gate.open()
        self.assertState("COMMITTED", self.client.end(saga_id))
        self.assertEqual(3, len(self.shop.of(saga_id)))

    def test_loop_that_is_the_pivot(self):
        """Its first instance that is done is the point of no return: the others are tried until a person decides."""
        steps = self.LOOP[:self.LOOP.index("    compensation")].replace("    target", "    pivot: true\n    target", 1)
        refuses = []
        self.shop.on("/typed.v1.Shop/Reserve",
                     lambda call: fail(Code.NOT_FOUND)(call) if call.step in refuses else Receipt(receipt_id="R").SerializeToString())
        refuses.append("reserve[1]")
        self.client.register(HEAD % "loop_pivot" + RESERVE.replace("reserve", "first") + steps.replace("    for_each", "    after: [first]\n    for_each"))
        saga_id = self.client.Start(definition="loop_pivot", input_json=self.THREE).saga_id
        saga = self.client.stuck(saga_id)
        self.assertEqual(("FORWARD_FAILED", "reserve[1]"), (reason_name(saga.stuck_reason), saga.stuck_step))
        refuses.clear()
        self.client.operator.Retry(saga_id=saga_id, step="reserve[1]", actor="me")
        self.assertState("COMMITTED", self.client.end(saga_id))
        refuses.append("reserve[0]")
        saga = self.client.run("loop_pivot", input_json=self.THREE)
        self.assertState("COMPENSATED", saga)
        self.assertEqual(["first"], [call.step for call in self.shop.of(saga.id, "compensation")])
        self.assertIn("pivot's list has no items",
                      self.refused("FAILED_PRECONDITION", "REQUIREMENT_NOT_MET", self.client.Start, definition="loop_pivot", input_json="{}").text)

    def test_loop_after_restart(self):
        """Instances are what they were, and their names, also in what Watch shows of a saga that has ended."""
        sidecar = Sidecar(targets={"shop": self.shop.address})
        try:
            sidecar.client.RegisterSchema(name="typed", descriptors=SET)
            sidecar.client.register(HEAD % "again" + self.LOOP)
            gate = Gate(Receipt(receipt_id="R").SerializeToString())
            self.shop.on("/typed.v1.Shop/Reserve", lambda call: gate(call) if call.step == "reserve[1]" else Receipt(receipt_id="R").SerializeToString())
            saga_id = sidecar.client.Start(definition="again", input_json=self.THREE).saga_id
            gate.await_call()
            sidecar.kill()
            gate.open()
            sidecar.start()
            self.assertState("COMMITTED", sidecar.client.end(saga_id))
            sidecar.restart()
            events = [event for answer in sidecar.client.Watch(saga_id=saga_id) for event in answer.events]
            self.assertEqual({"", "reserve[0]", "reserve[1]", "reserve[2]"}, {event.step for event in events})
            self.assertEqual({"a/0", "b/1", "c/2"}, {Order.FromString(call.request).order_id for call in self.shop.of(saga_id)})
        finally:
            sidecar.close()

    def test_loop_refused(self):
        self.refused_for("needs max_items", self.LOOP.replace("    max_items: 5\n", ""))
        self.refused_for("should be a list", self.LOOP.replace("for_each: input.lines", "for_each: input.order_id"))
        self.refused_for("begins with for_each", RESERVE + "    max_parallel: 2\n")
        self.refused_for("is a loop and has many outputs",
                         self.LOOP + "  - {name: b, after: [reserve], target: shop, action: {method: /typed.v1.Shop/Release, request: {output: reserve}}}\n")
        self.refused_for("item", RESERVE.replace("=input.order_id", "=item.sku").replace("'r-' + input.order_id", "item.sku"))
        self.client.register(HEAD % "too_many" + self.LOOP)
        six = '{"lines": [%s]}' % ", ".join(["{}"] * 6)
        self.assertIn("max_items, 5", self.refused("RESOURCE_EXHAUSTED", "STEPS_MAX", self.client.Start, definition="too_many", input_json=six).text)

    # ---- forward_only ----

    FORWARD = HEAD.replace("steps:", "forward_only: true\nsteps:")

    def test_forward_only(self):
        self.answers(fail_times(2, Code.UNAVAILABLE, Receipt().SerializeToString()))
        steps = RESERVE[:RESERVE.index("    compensation")]
        saga = self.run_saga(steps + CHARGE, self.FORWARD)
        self.assertState("COMMITTED", saga)
        self.assertEqual(3, len([call for call in self.shop.of(saga.id) if call.step == "reserve"]))

    def test_forward_only_never_turns_back(self):
        self.shop.on("/typed.v1.Shop/Reserve", fail(Code.NOT_FOUND))
        name = "forward"
        self.client.register(self.FORWARD % name + RESERVE[:RESERVE.index("    compensation")])
        saga_id = self.client.Start(definition=name, input_json='{"lines": [{}]}').saga_id
        self.client.stuck(saga_id)
        self.shop.on("/typed.v1.Shop/Reserve", lambda call: Receipt(receipt_id="R").SerializeToString())
        self.client.operator.Retry(saga_id=saga_id, actor="me")
        self.assertState("COMMITTED", self.client.end(saga_id))

    def test_forward_only_refused(self):
        self.refused_for("the saga never turns back", RESERVE, self.FORWARD)
        plain = RESERVE[:RESERVE.index("    compensation")]
        self.refused_for("forward_only", plain, self.FORWARD.replace("steps:", "deadline: 3s\nsteps:"))
        self.refused_for("forward_only", plain + "    pivot: true\n", self.FORWARD)


class Short(Case):
    options = {"steps_max": 4}

    def test_loop_of_more_steps_than_a_saga_may_have(self):
        self.client.RegisterSchema(name="typed", descriptors=SET)
        self.shop.on("/typed.v1.Shop/Reserve", lambda call: Receipt(receipt_id="R").SerializeToString())
        self.client.register(HEAD % "short" + Flows.LOOP.replace("max_items: 5", "max_items: 4") + Flows.SUM)
        lines = lambda n: '{"lines": [%s]}' % ", ".join(["{}"] * n)
        self.assertState("COMMITTED", self.client.run("short", input_json=lines(3)))
        refused = self.refused("RESOURCE_EXHAUSTED", "STEPS_MAX", self.client.Start, definition="short", input_json=lines(4))
        self.assertIn("more instances than a saga may have steps", refused.text)
