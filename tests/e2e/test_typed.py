"""Definitions that know their messages: schemas registered and kept, inputs checked, JSON in and out."""
import concurrent.futures
import hashlib
import json
import os
import tempfile

import grpc

import shapes
from test_sagactl import ctl
from harness import Case, Participant, Sidecar, definition, fail, state_name, step
from shapes import Line, Order, Receipt, TYPED

Code = grpc.StatusCode
SET = shapes.SHOP.SerializeToString()
INPUT = '{"orderId": "A-1", "lines": [{"sku": "x", "quantity": 2}], "totalCents": "9007199254740993", "at": "2026-11-28T00:50:00Z"}'


def order():
    made = Order(order_id="A-1", lines=[Line(sku="x", quantity=2)], total_cents=9007199254740993)
    made.at.FromJsonString("2026-11-28T00:50:00Z")
    return made


class Typed(Case):
    options = {"default_compensation_retry": {"maxAttempts": 3, "initialBackoff": "1ms", "maxBackoff": "5ms"},
               "default_retry": {"maxAttempts": 2, "initialBackoff": "1ms", "maxBackoff": "5ms"}}

    def setUp(self):
        super().setUp()
        self.client.RegisterSchema(name="typed", descriptors=SET)
        self.shop.on("/typed.v1.Shop/Reserve", lambda call: Receipt(receipt_id="R").SerializeToString())

    def define(self):
        name = self.id().rsplit(".", 1)[1]
        self.client.register(TYPED % name)
        return name

    # ---- one target of several ----

    def test_target_chosen(self):
        """The saga goes where its input says, and its undo goes there too; Get tells where; a target that is none of them ends the step."""
        text = (TYPED % "chosen").replace("target: shop", "target: {oneof: [shop, other], by: \"input.order_id == 'A' ? 'other' : input.order_id\"}")
        text += "  - {name: refuse, after: [reserve], target: shop, action: {method: /typed.v1.Shop/Reserve, request: =input}, compensation: none}\n"
        self.refused("INVALID_ARGUMENT", "TARGET_NOT_FOUND", self.client.RegisterDefinition, source=text.encode())
        other = Participant()
        self.addCleanup(other.stop)
        sidecar = Sidecar(targets={"shop": self.shop.address, "other": other.address})
        self.addCleanup(sidecar.close)
        client = sidecar.client
        client.RegisterSchema(name="typed", descriptors=SET)
        client.register(text)
        other.on("/typed.v1.Shop/Reserve", lambda call: Receipt(receipt_id="R").SerializeToString())
        self.shop.on("/typed.v1.Shop/Reserve", fail(Code.FAILED_PRECONDITION))
        saga_id = client.Start(definition="chosen", input=Order(order_id="A").SerializeToString()).saga_id
        self.assertEqual("COMPENSATED", state_name(client.Wait(saga_id=saga_id).saga))
        self.assertEqual(["action", "compensation"], [c.phase for c in other.of(saga_id)])
        self.assertEqual(["refuse"], [c.step for c in self.shop.of(saga_id)])
        saga_id = client.Start(definition="chosen", input=Order(order_id="shop").SerializeToString()).saga_id
        self.assertEqual("COMPENSATED", state_name(client.Wait(saga_id=saga_id).saga))
        self.assertEqual([], other.of(saga_id))
        saga_id = client.Start(definition="chosen", input=Order(order_id="nobody").SerializeToString()).saga_id
        self.assertEqual("COMPENSATED", state_name(client.Wait(saga_id=saga_id).saga))
        self.assertIn("none of oneof", str(client.Get(saga_id=saga_id).timeline))

    def test_graph_of_a_saga_with_loops(self):
        """Each instance in its place, with its own state; a loop without items stays one step."""
        self.client.register("""name: looped
version: 1.0.0
schema: typed
input: typed.v1.Order
steps:
  - {name: first, target: shop, action: {method: /typed.v1.Shop/Reserve, request: =input}, compensation: none}
  - {name: each, for_each: input.lines, max_items: 5, after: [first], target: shop,
     action: {method: /typed.v1.Shop/Reserve, request: {order_id: =item.sku}}, compensation: none}
  - {name: last, after: [each], target: shop, action: {method: /typed.v1.Shop/Reserve, request: =input}, compensation: none}
""")
        no = fail(Code.FAILED_PRECONDITION)
        self.shop.on("/typed.v1.Shop/Reserve", lambda call: no(call) if call.step == "last" else Receipt(receipt_id="R").SerializeToString())
        saga = self.client.Start(definition="looped", input=Order(lines=[Line(sku="x"), Line(sku="y")]).SerializeToString()).saga_id
        self.client.Wait(saga_id=saga)
        steps = ctl("graph", "-a", self.sidecar.address, "-o", "json", saga).json()["steps"]
        self.assertEqual([("first", [], "DONE"), ("each[0]", ["first"], "DONE"), ("each[1]", ["first"], "DONE"),
                          ("last", ["each[0]", "each[1]"], "REJECTED")], [(s["name"], s["after"], s["state"]) for s in steps])
        saga = self.client.Start(definition="looped", input=Order().SerializeToString()).saga_id
        self.client.Wait(saga_id=saga)
        steps = {s["name"]: s for s in ctl("graph", "-a", self.sidecar.address, "-o", "json", saga).json()["steps"]}
        self.assertEqual(["each"], steps["last"]["after"])
        self.assertEqual("no items", steps["each"]["state"])

    def test_graph_of_a_saga_shows_where_it_went(self):
        self.client.register((TYPED % "went").replace("target: shop", "target: {oneof: [shop], by: \"'shop'\"}"))
        saga = self.client.run("went", input_json=INPUT).id
        self.assertEqual("shop", ctl("graph", "-a", self.sidecar.address, "-o", "json", saga).json()["steps"][0]["target"])

    # ---- what lint has to say ----

    def test_findings_of_lint_come_back_and_errors_refuse(self):
        text = definition("judged", "name: a, target: shop, action: /typed.v1.Shop/Reserve", extra="schema: typed\ninput: typed.v1.Order\n")
        for dry in (True, False, False):
            answer = self.client.RegisterDefinition(source=text.encode(), dry_run=dry)
            self.assertEqual([("deadline-missing", False, 1), ("undo-missing", True, 6)],
                             [(f.rule, f.warning, f.line) for f in answer.findings])
        needs = definition("needs", "name: a, target: shop, action: {method: /typed.v1.Shop/Reserve, request: =input}, "
                           "compensation: {method: /typed.v1.Shop/Release, request: {receipt_id: =action.output.receipt_id}}",
                           extra="deadline: 10m\nschema: typed\ninput: typed.v1.Order\n")
        refusal = self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", self.client.RegisterDefinition, source=needs.encode())
        self.assertIn("[undo-needs-output]", refusal.text)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "judged.yaml")
            with open(path, "w") as f:
                f.write(text.replace("1.0.0", "1.1.0"))
            ran = ctl("register", "-a", self.sidecar.address, path)
            self.assertEqual(0, ran.code, ran)
            self.assertTrue(ran.err.startswith(path + ":6:5: warning: steps[0]: a may have to be undone"), ran)
            with open(path, "w") as f:
                f.write(needs)
            sets = os.path.join(folder, "schemas")
            os.mkdir(sets)
            with open(os.path.join(sets, "typed.binpb"), "wb") as f:
                f.write(SET)
            with self.assertRaises(Exception) as refused:
                Sidecar(definitions_dir=folder, schemas_dir=sets)
            self.assertIn("undo-needs-output", str(refused.exception))

    def test_policy_is_read_again(self):
        """A reload takes a policy that has changed, judges by it what it registers, and leaves the old one when it takes nothing."""
        rule = "rules:\n  - {id: quick, that: step.timeout <= duration('%s'), else: too slow, severity: %s}\n"
        slow = lambda name: definition(name, step("a", more="timeout: 6s"), extra="deadline: 10m\n")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "policy.yaml")
            directory = os.path.join(folder, "definitions")
            os.mkdir(directory)

            def write(path, text):
                with open(path, "w") as f:
                    f.write(text)
            write(path, rule % ("5s", "error"))
            sidecar = Sidecar(policy_file=path, definitions_dir=directory, targets={"shop": self.shop.address})
            self.addCleanup(sidecar.close)
            register, reload = sidecar.client.RegisterDefinition, lambda: sidecar.client.operator.Reload(actor="ann")
            self.refused("FAILED_PRECONDITION", "POLICY_VIOLATED", register, source=slow("one").encode())
            self.assertEqual([], list(reload().taken))
            write(path, "rules: nonsense")
            self.assertIn("policy.yaml:1", self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", sidecar.client.operator.Reload, actor="ann").text)
            write(path, rule % ("9s", "error"))
            write(os.path.join(directory, "bad.yaml"), definition("bad", step("a", more="timeout: 10s"), extra="deadline: 10m\n"))
            self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", sidecar.client.operator.Reload, actor="ann")
            self.refused("FAILED_PRECONDITION", "POLICY_VIOLATED", register, source=slow("one").encode())
            write(os.path.join(directory, "bad.yaml"), slow("good"))
            self.assertEqual({"policy_file: " + path, "definition good 1.0.0"}, set(reload().taken))
            register(source=slow("one").encode())
            write(path, rule % ("5s", "warning"))
            reload()
            answer = register(source=slow("two").encode())
            self.assertIn(("quick", True, "steps[0]", "a: too slow"), [(f.rule, f.warning, f.field, f.message) for f in answer.findings])
            file = os.path.join(folder, "three.yaml")
            write(file, slow("three"))
            self.assertIn(file + ": warning: steps[0]: a: too slow [quick]\n", ctl("register", "-a", sidecar.address, file).err)

    def test_policy_file(self):
        policy = ("rules:\n  - {id: quick, that: step.timeout <= duration('5s'), else: an attempt takes at most 5s}\n"
                  "  - {id: near, that: \"!targets[step.target].tls && targets[step.target].max_concurrent_calls == 7\", else: far away}\n"
                  "waivers:\n  - {rule: quick, definition: waived, reason: it is slow, until: 2999-01-01}\n")
        slow = lambda name, timeout: definition(name, step("a", more="timeout: " + timeout), extra="deadline: 10m\n").encode()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "policy.yaml")
            with open(path, "w") as f:
                f.write(policy)
            sidecar = Sidecar(policy_file=path, targets={"shop": {"address": self.shop.address, "max_concurrent_calls": 7}})
            try:
                register = sidecar.client.RegisterDefinition
                for dry in (True, False):
                    refusal = self.refused("FAILED_PRECONDITION", "POLICY_VIOLATED", register, source=slow("slow", "6s"), dry_run=dry)
                    self.assertEqual("the policy's rule quick: a: an attempt takes at most 5s", refusal.text)
                register(source=slow("quick", "5s"))
                register(source=slow("waived", "6s"))
                # What is registered stays when the policy becomes stricter.
                with open(path, "w") as f:
                    f.write(policy.replace("5s')", "1s')"))
                sidecar.restart()
                self.refused("FAILED_PRECONDITION", "POLICY_VIOLATED", sidecar.client.RegisterDefinition, source=slow("other", "5s"))
                self.assertTrue(sidecar.client.RegisterDefinition(source=slow("quick", "5s")).already_registered)
                self.assertEqual("COMMITTED", state_name(sidecar.client.run("quick")))
            finally:
                sidecar.close()
            with open(path, "w") as f:
                f.write("rules:\n  - {id: a}\n")
            with self.assertRaises(Exception) as refused:
                Sidecar(policy_file=path)
            self.assertIn("else is missing", str(refused.exception))
            self.assertEqual(2, ctl("lint", "--policy", path, "-", stdin=slow("x", "1s").decode()).code)
            with open(path, "w") as f:
                f.write(policy)
            ran = ctl("lint", "--policy", path, "-", stdin=slow("x", "6s").decode())
            self.assertEqual(1, ran.code, ran)
            self.assertIn("<stdin>:5:1: error: steps[0]: a: an attempt takes at most 5s [quick]", ran.out)
            self.assertEqual(0, ctl("lint", "--policy", path, "-", stdin=slow("waived", "6s").decode()).code)

    # ---- schemas ----

    def test_schema_registered_and_shown(self):
        answer = self.client.RegisterSchema(name="shown", descriptors=SET)
        self.assertEqual(hashlib.sha256(SET).hexdigest(), answer.hash)
        self.assertFalse(answer.already_registered)
        self.assertTrue(self.client.RegisterSchema(name="shown", descriptors=SET).already_registered)
        for shown in (self.client.GetSchema(name="shown"), self.client.GetSchema(hash=answer.hash)):
            self.assertEqual((answer.hash, SET, ["typed.v1.Shop"], 4),
                             (shown.hash, shown.descriptors, list(shown.services), shown.message_count))
        page = self.client.ListSchemas(page_size=1)
        names = [s.name for s in page.schemas]
        while page.next_page_token:
            page = self.client.ListSchemas(page_size=1, page_token=page.next_page_token)
            names += [s.name for s in page.schemas]
            self.assertEqual(b"", page.schemas[0].descriptors)
        self.assertEqual(sorted(names), names)
        self.assertIn("shown", names)
        dry = self.client.RegisterSchema(name="dry", descriptors=SET, dry_run=True)
        self.assertEqual(answer.hash, dry.hash)
        self.refused("NOT_FOUND", "SCHEMA_NOT_FOUND", self.client.GetSchema, name="dry")

    def test_schema_refused(self):
        refused = lambda reason, field, **fields: self.refused(
            "INVALID_ARGUMENT" if reason == "INVALID_ARGUMENT" else "RESOURCE_EXHAUSTED", reason, self.client.RegisterSchema,
            field=field, **fields)
        refused("INVALID_ARGUMENT", "name", name="no name", descriptors=SET)
        self.assertIn("FileDescriptorSet", refused("INVALID_ARGUMENT", None, name="bad", descriptors=b"nonsense").text)
        self.assertIn("include_imports", refused("INVALID_ARGUMENT", None, name="bad",
                                                 descriptors=type(shapes.SHOP)(file=[shapes.SHOP.file[1]]).SerializeToString()).text)
        refused("PAYLOAD_BYTES_MAX", None, name="bad", descriptors=b"\0" * (1 << 19 | 1))
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", self.client.GetSchema)

    def test_schemas_max(self):
        sidecar = Sidecar(schemas_max=1)
        try:
            sidecar.client.RegisterSchema(name="one", descriptors=SET)
            self.refused("RESOURCE_EXHAUSTED", "SCHEMAS_MAX", sidecar.client.RegisterSchema, name="one",
                         descriptors=shapes.shop(["note"]).SerializeToString())
            self.refused("RESOURCE_EXHAUSTED", "SCHEMAS_MAX", sidecar.client.RegisterSchema, name="two", descriptors=SET)
        finally:
            sidecar.close()

    def test_schemas_dir(self):
        with tempfile.TemporaryDirectory() as directory:
            with open(os.path.join(directory, "typed.binpb"), "wb") as f:
                f.write(SET)
            with open(os.path.join(directory, "readme.txt"), "w") as f:
                f.write("not one")
            definitions = os.path.join(directory, "definitions")
            os.mkdir(definitions)
            with open(os.path.join(definitions, "a.yaml"), "w") as f:
                f.write(TYPED % "from_files")
            sidecar = Sidecar(schemas_dir=directory, definitions_dir=definitions, targets={"shop": self.shop.address})
            try:
                self.assertEqual("typed.v1.Order", sidecar.client.GetDefinition(name="from_files").input)
                sidecar.stop()
                with open(os.path.join(directory, "bad.binpb"), "w") as f:
                    f.write("nonsense")
                code, text = sidecar.refuse()
                self.assertNotEqual(0, code)
                self.assertIn("bad.binpb", text)
                os.unlink(os.path.join(directory, "bad.binpb"))
                sidecar.start()
                self.assertState("COMMITTED", sidecar.client.run("from_files", input_json="{}"))
            finally:
                sidecar.close()

    # ---- definitions ----

    def test_definition_says_its_types(self):
        shown = self.client.GetDefinition(name=self.define())
        self.assertEqual(("typed", hashlib.sha256(SET).hexdigest(), "typed.v1.Order"), (shown.schema, shown.schema_hash, shown.input))
        self.client.register(definition("untyped", step("a")))
        shown = self.client.GetDefinition(name="untyped")
        self.assertEqual(("", "", ""), (shown.schema, shown.schema_hash, shown.input))

    def test_definition_refused(self):
        refused = lambda text: self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", self.client.register, text)
        failure = self.refused("NOT_FOUND", "SCHEMA_NOT_FOUND", self.client.register, (TYPED % "x").replace("schema: typed", "schema: typd"))
        self.assertIn("sagactl schema register", failure.text)
        self.assertIn("did you mean /typed.v1.Shop/Reserve?", refused((TYPED % "x").replace("Shop/Reserve", "Shop/Reserv")).text)
        self.assertIn("streams", refused((TYPED % "x").replace("Shop/Reserve", "Shop/Follow")).text)
        self.assertIn("takes a typed.v1.Receipt, and the saga's input is a typed.v1.Order",
                      refused((TYPED % "x").replace("Shop/Reserve", "Shop/Release")).text)

    def test_definition_stays_with_its_descriptors(self):
        """Its name stands for other types by now, and the sidecar starts anew: the definition is as it was."""
        sidecar = Sidecar(targets={"shop": self.shop.address})
        try:
            first = sidecar.client.RegisterSchema(name="typed", descriptors=SET).hash
            sidecar.client.register(TYPED % "stays")
            second = sidecar.client.RegisterSchema(name="typed", descriptors=shapes.shop(["note"]).SerializeToString()).hash
            sidecar.client.register(TYPED % "follows")
            self.assertNotEqual(first, second)
            for _ in range(2):
                self.assertEqual(first, sidecar.client.GetDefinition(name="stays").schema_hash)
                self.assertEqual(second, sidecar.client.GetDefinition(name="follows").schema_hash)
                self.assertEqual(second, sidecar.client.GetSchema(name="typed").hash)
                self.assertEqual(SET, sidecar.client.GetSchema(hash=first).descriptors)
                self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", sidecar.client.Start, definition="stays", input_json='{"note": "x"}')
                self.assertState("COMMITTED", sidecar.client.run("follows", input_json='{"note": "x"}'))
                # The same text again is fine, though its schema's name stands for another set.
                self.assertTrue(sidecar.client.register(TYPED % "stays").already_registered)
                sidecar.kill()
                sidecar.start()
        finally:
            sidecar.close()

    # ---- input and JSON ----

    def test_start_with_json(self):
        name = self.define()
        saga = self.client.run(name, input_json=INPUT)
        self.assertState("COMMITTED", saga)
        self.assertEqual(order(), Order.FromString(self.shop.of(saga.id)[0].request))
        # JSON and bytes are one input.
        first = self.client.Start(definition=name, request_id="r", input_json=INPUT)
        again = self.client.Start(definition=name, request_id="r", input=self.shop.of(saga.id)[0].request)
        self.assertEqual((first.saga_id, True), (again.saga_id, again.already_started))

    def test_input_refused(self):
        name = self.define()
        refused = lambda field, **fields: self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", self.client.Start, definition=name,
                                                       field=field, **fields).text
        self.assertIn("there is no such field in typed.v1.Line (line 1, column 31)",
                      refused("input_json.lines[1].skew", input_json='{"lines": [{"sku": "a"}, {    "skew": 1}]}'))
        self.assertIn("out of the range of int32", refused("input_json.lines[0].quantity", input_json='{"lines": [{"quantity": 2147483648}]}'))
        self.assertIn("the JSON ends too early", refused("input_json", input_json="{"))
        self.assertIn("either", refused("input_json", input_json="{}", input=b"\x0a\x00"))
        self.refused("RESOURCE_EXHAUSTED", "PAYLOAD_BYTES_MAX", self.client.Start, definition=name, field=None,
                     input_json='{"orderId": "%s"}' % ("x" * (1 << 18)))
        self.assertIn("UTF-8", refused("input.lines[0].sku", input=b"\x12\x03\x0a\x01\xff"))
        self.assertIn("typed.v1.Order has no field 9", refused("input", input=b"\x48\x01"))
        self.assertIn("the bytes are no message", refused("input", input=b"\xff"))
        self.client.register(definition("without", step("a")))
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", self.client.Start, definition="without", input_json="{}", field="input_json")

    def test_get_as_json(self):
        name = self.define()
        saga = self.client.run(name, input_json=INPUT)
        shown = self.client.Get(saga_id=saga.id, include_payloads=True, payloads_as_json=True).saga
        self.assertEqual(json.loads(INPUT), json.loads(shown.input_json))
        self.assertEqual({"receiptId": "R"}, json.loads(shown.steps[0].output_json))
        self.assertEqual(order(), Order.FromString(shown.input))
        for fields in ({}, {"include_payloads": True}, {"payloads_as_json": True}):
            shown = self.client.Get(saga_id=saga.id, **fields).saga
            self.assertEqual(("", ""), (shown.input_json, shown.steps[0].output_json))

    def test_what_is_large_has_no_json(self):
        """So that no Get holds the sidecar up: the bytes are there all the same."""
        large = Order(order_id="x" * 60000).SerializeToString()
        self.shop.on("/typed.v1.Shop/Reserve", lambda call: Receipt(receipt_id="y" * 60000).SerializeToString())
        saga = self.client.run(self.define(), input=large)
        shown = self.client.Get(saga_id=saga.id, include_payloads=True, payloads_as_json=True).saga
        self.assertEqual({"orderId": "x" * 60000}, json.loads(shown.input_json))
        self.assertEqual("", shown.steps[0].output_json)
        self.assertEqual(60004, len(shown.steps[0].output))

    def test_output_that_is_no_message(self):
        """What a participant answers is kept as it is, and has no JSON when it is none."""
        self.shop.on("/typed.v1.Shop/Reserve", lambda call: b"\xff\xff")
        saga = self.client.run(self.define(), input_json="{}")
        shown = self.client.Get(saga_id=saga.id, include_payloads=True, payloads_as_json=True).saga
        self.assertEqual((b"\xff\xff", "", "{}"), (shown.steps[0].output, shown.steps[0].output_json, shown.input_json))

    def test_undo(self):
        name = self.define() + "2"
        self.client.register(TYPED % name + "  - {name: fails, after: [reserve], target: shop, action: /typed.v1.Shop/Reserve}\n")
        answers = iter([Receipt(receipt_id="R").SerializeToString()])
        self.shop.on("/typed.v1.Shop/Reserve", lambda call: next(answers) if call.step == "reserve" else fail(Code.NOT_FOUND)(call))
        saga = self.client.run(name, input_json=INPUT)
        self.assertState("COMPENSATED", saga)
        self.assertEqual(b"\x0a\x01R", self.shop.of(saga.id, "compensation")[0].request)


class Ctl(Case):
    """sagactl where types are known."""

    def setUp(self):
        super().setUp()
        self.shop.on("/typed.v1.Shop/Reserve", lambda call: Receipt(receipt_id="R").SerializeToString())

    def ctl(self, *args, code=0, **more):
        ran = ctl("-a", self.sidecar.address, *args, **more)
        self.assertEqual(code, ran.code, ran)
        return ran

    def write(self, name, data):
        path = os.path.join(self.sidecar.directory, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def test_from_descriptors_to_output(self):
        """What a person does: the types, the definition, an input to fill in, the saga, and what came of it."""
        path = self.write("typed.binpb", SET)
        self.assertRegex(self.ctl("schema", "register", "--dry-run", path).out, "^typed [0-9a-f]{12} would be registered\n$")
        self.assertRegex(self.ctl("schema", "register", path).out, "^typed [0-9a-f]{12} registered\n$")
        self.assertRegex(self.ctl("schema", "register", path).out, "was registered already")
        self.assertRegex(self.ctl("schema", "list").out, r"typed +[0-9a-f]{12}  \d{4}-\d\d-\d\d +4  typed.v1.Shop")
        shown = self.ctl("schema", "show", "typed").out
        for line in ("service typed.v1.Shop", "  /typed.v1.Shop/Follow (typed.v1.Order) returns (stream typed.v1.Receipt)",
                     "message typed.v1.Order", "  repeated typed.v1.Line lines = 2", "  google.protobuf.Timestamp at = 4"):
            self.assertIn(line + "\n", shown)
        self.assertNotIn("message google", shown)
        self.ctl("register", self.write("ordered.yaml", (TYPED % "ordered").encode()))
        skeleton = json.loads(self.ctl("input", "ordered").out)
        self.assertEqual({"orderId": "", "lines": [{"sku": "", "quantity": 0}], "totalCents": "0", "at": "1970-01-01T00:00:00Z"}, skeleton)
        skeleton["orderId"] = "A-7"
        for args, stdin in ((["--json", json.dumps(skeleton)], None), (["--json", "-"], json.dumps(skeleton)),
                            (["-j", self.write("input.json", json.dumps(skeleton).encode())], None)):
            saga_id = self.ctl("start", "ordered", *args, stdin=stdin).out.strip()
            self.ctl("wait", saga_id)
            self.assertEqual("A-7", Order.FromString(self.shop.of(saga_id)[0].request).order_id)
        shown = self.ctl("get", "--payloads", saga_id).out
        self.assertIn('"orderId":"A-7"', shown)
        self.assertIn('{"receiptId":"R"}', shown)
        self.assertNotIn("receiptId", self.ctl("get", saga_id).out)
        self.assertEqual({"receiptId": "R"}, json.loads(self.ctl("-o", "json", "get", "-p", saga_id).json()["saga"]["steps"][0]["output_json"]))

    def test_reflection(self):
        """A server that tells of itself: the sidecar's own API, which has both versions of reflection."""
        self.assertRegex(self.ctl("schema", "reflect", "api", self.sidecar.address).out, "^api [0-9a-f]{12} registered\n$")
        shown = self.client.GetSchema(name="api")
        self.assertEqual({"saga.v1.Coordinator", "saga.v1.Operator"}, set(shown.services) & {"saga.v1.Coordinator", "saga.v1.Operator"})
        files = type(shapes.SHOP).FromString(shown.descriptors)
        names = [f.name for f in files.file]
        self.assertEqual(len(names), len(set(names)))
        self.assertIn("google/protobuf/timestamp.proto", names)
        self.assertRegex(self.ctl("schema", "reflect", "api", self.sidecar.address, self.sidecar.address).out, "was registered already")
        without = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
        port = without.add_insecure_port("127.0.0.1:0")
        without.start()
        self.assertIn("no reflection", self.ctl("schema", "reflect", "shop", "127.0.0.1:%d" % port, code=1).err)
        without.stop(None).wait()
        self.ctl("-t", "200ms", "schema", "reflect", "nobody", "unix:/nowhere/at-all.sock", code=3)
        self.assertIn("needs NAME ADDRESS", self.ctl("schema", "reflect", "x", code=2).err)

    def test_what_goes_wrong(self):
        self.assertIn("no such schema", self.ctl("schema", "show", "nothing", code=4).err)
        self.assertIn("schema takes", self.ctl("schema", "forget", code=2).err)
        self.assertIn("needs FILE", self.ctl("schema", "register", code=2).err)
        self.assertIn("--name", self.ctl("schema", "register", "-", stdin="", code=2).err)
        self.assertIn("--name is for one FILE", self.ctl("schema", "register", "--name", "x", "-", "-", stdin="", code=2).err)
        self.assertIn("FileDescriptorSet", self.ctl("schema", "register", "--name", "x", "-", stdin="nonsense", code=1).err)
        self.client.register(definition("plain", step("a")))
        self.assertIn("does not say the type", self.ctl("input", "plain", code=1).err)
        self.client.RegisterSchema(name="typed", descriptors=SET)
        self.client.register(TYPED % "refusing")
        refused = self.ctl("start", "refusing", "--json", '{"lines": [{"skew": 1}]}', code=1).err
        self.assertIn("input_json.lines[0].skew", refused)
        self.assertIn("exclude", self.ctl("start", "refusing", "--json", "{}", "--input-text", "x", code=2).err)
