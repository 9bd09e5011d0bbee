"""Who may do what: rules over TLS, unix sockets and plaintext, and what they say of themselves."""
import os
import subprocess
import tempfile
import unittest
import urllib.request

import grpc

import shapes
from harness import (CHANNEL_OPTIONS, PATIENCE_S, SAGAD, Participant, Sidecar, Stub, definition, do, fail, message, needs_files, state_name, step,
                     wait_until)
from test_trust import Authority

CART = "spiffe://example.org/ns/shop/sa/cart"
TILL = "spiffe://example.org/ns/shop/sa/till"
NIGHT = "spiffe://example.org/ns/ops/sa/night"

RULES = [{"who": "spiffe://example.org/ns/shop/*", "may": ["service"], "definitions": ["order*"]},
         {"who": NIGHT, "may": ["operator", "payloads"]},
         {"who": "uid:%d" % os.getuid(), "may": ["viewer", "RegisterDefinition"]}]


PUTS_OUT = """name: puts_out
version: 1.0.0
schema: typed
input: typed.v1.Order
output: {receipt: =steps.reserve.output.receipt_id}
steps:
  - {name: reserve, target: shop, action: /typed.v1.Shop/Reserve, compensation: none}
"""


FAILS = """name: fails
version: 1.0.0
schema: typed
input: typed.v1.Order
tags: {tenant: =input.order_id}
forward_only: true
steps:
  - {name: fail, target: shop, action: {method: /typed.v1.Shop/Release, request: {receipt_id: =input.order_id}}, compensation: none, retry: {maxAttempts: 1}}
"""


TAGGED = PUTS_OUT.replace("puts_out", "tagged").replace("output: {", "tags: {tenant: =input.order_id}\noutput: {")


def code_of(call, **fields):
    try:
        call(timeout=PATIENCE_S, **fields)
        return "OK"
    except grpc.RpcError as error:
        return error.code().name


class Rules(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pki = Authority()
        cls.pki.make("sagad", "DNS:localhost,IP:127.0.0.1")
        cls.pki.make("cart", "URI:" + CART)
        cls.pki.make("till", "URI:spiffe://example.org/ns/shop/sa/till")
        cls.pki.make("night", "URI:" + NIGHT)
        cls.pki.make("other", "URI:spiffe://example.org/ns/other/sa/x")

    def setUp(self):
        self.shop = Participant()
        self.addCleanup(self.shop.stop)
        self.sidecar = Sidecar(start=False, targets={"shop": self.shop.address}, authorization=RULES, http_listen="127.0.0.1:0",
                               tls_certificate=self.pki.path("sagad.pem"), tls_key=self.pki.path("sagad.key"), tls_roots=self.pki.path("ca.pem"))
        self.socket = "unix:" + os.path.join(self.sidecar.directory, "s")
        self.sidecar.options["listen"] = ["tls://127.0.0.1:0", self.socket, "127.0.0.1:0"]
        self.addCleanup(self.sidecar.close)
        self.sidecar.start()

    def as_(self, name):
        """The services, as whoever has this certificate; "unix" and "plain" come without."""
        if name == "unix":
            channel = grpc.insecure_channel(self.socket, options=CHANNEL_OPTIONS)
        elif name == "plain":
            channel = grpc.insecure_channel("127.0.0.1:%d" % self.sidecar.ports["127.0.0.1:0"], options=CHANNEL_OPTIONS)
        else:
            channel = self.pki.channel(self.sidecar.ports["tls://127.0.0.1:0"], name)
        self.addCleanup(channel.close)
        return Stub(channel, "saga.v1.Coordinator"), Stub(channel, "saga.v1.Operator"), channel

    def test_each_may_do_what_its_rules_say(self):
        unix, unix_operator, _ = self.as_("unix")
        cart, cart_operator, _ = self.as_("cart")
        night, night_operator, _ = self.as_("night")
        other, other_operator, _ = self.as_("other")
        plain, _, _ = self.as_("plain")
        for name in ("order", "refund"):
            unix.RegisterDefinition(source=definition(name, step("a")).encode())
        self.assertEqual("PERMISSION_DENIED", code_of(unix.Start, definition="order"))
        self.assertEqual("PERMISSION_DENIED", code_of(cart.Start, definition="refund"))
        saga = cart.Start(definition="order").saga_id
        refund = night.Start(definition="refund").saga_id
        self.assertEqual("COMMITTED", state_name(cart.Wait(saga_id=saga).saga))
        self.assertEqual("PERMISSION_DENIED", code_of(cart.Wait, saga_id=refund))
        self.assertEqual("OK", code_of(night.Wait, saga_id=refund))
        self.assertEqual("OK", code_of(cart.Get, saga_id=saga))
        self.assertEqual("PERMISSION_DENIED", code_of(cart.Get, saga_id=saga, include_payloads=True))
        self.assertEqual("OK", code_of(night.Get, saga_id=saga, include_payloads=True))
        self.assertEqual("PERMISSION_DENIED", code_of(cart_operator.Retry, saga_id=saga, actor="ada"))
        self.assertEqual("PERMISSION_DENIED", code_of(unix_operator.Retry, saga_id=saga, actor="ada"))
        self.assertEqual("FAILED_PRECONDITION", code_of(night_operator.Retry, saga_id=saga, actor="ada"))
        for coordinator in (other, plain):
            self.assertEqual("PERMISSION_DENIED", code_of(coordinator.Get, saga_id=saga))
            self.assertEqual("PERMISSION_DENIED", code_of(coordinator.ListDefinitions))
        self.assertEqual("PERMISSION_DENIED", code_of(other_operator.Pause, saga_id=saga, actor="eve"))

    def test_a_service_sees_its_own_sagas(self):
        cart, _, _ = self.as_("cart")
        till, till_operator, _ = self.as_("till")
        unix, _, _ = self.as_("unix")
        unix.RegisterDefinition(source=definition("order", step("a")).encode())
        saga = cart.Start(definition="order", request_id="r-1").saga_id
        theirs = till.Start(definition="order").saga_id
        for coordinator, own, other in ((cart, saga, theirs), (till, theirs, saga)):
            for call in (coordinator.Wait, coordinator.Get, coordinator.Watch, coordinator.Cancel):
                if call is not coordinator.Watch:
                    self.assertNotEqual("PERMISSION_DENIED", code_of(call, saga_id=own))
                    self.assertEqual("PERMISSION_DENIED", code_of(call, saga_id=other))
            self.assertEqual([own], [shown.id for shown in coordinator.List(definition="order").sagas])
            with self.assertRaises(grpc.RpcError) as caught:
                next(coordinator.Watch(saga_id=other, timeout=PATIENCE_S))
            self.assertIn("no rule of authorization says so of a saga that another has begun", caught.exception.details())
        self.assertEqual("OK", code_of(cart.Find, request_id="r-1"))
        self.assertEqual("NOT_FOUND", code_of(till.Find, request_id="r-1"))
        self.assertEqual({saga, theirs}, {shown.id for shown in unix.List(definition="order").sagas})  # a viewer
        self.assertEqual(CART, unix.Get(saga_id=saga).saga.owner)

    def test_a_request_id_is_ones_own(self):
        cart, _, _ = self.as_("cart")
        till, _, _ = self.as_("till")
        unix, _, _ = self.as_("unix")
        unix.RegisterDefinition(source=definition("order", step("a")).encode())
        first, second = (who.Start(definition="order", request_id="order-7") for who in (cart, till))
        self.assertNotEqual(first.saga_id, second.saga_id)
        for _ in range(2):
            for who, saga in ((cart, first.saga_id), (till, second.saga_id)):
                again = who.Start(definition="order", request_id="order-7")
                self.assertEqual((saga, True), (again.saga_id, again.already_started))
                self.assertEqual(saga, who.Find(request_id="order-7").saga_id)
                self.assertEqual("COMMITTED", state_name(who.Wait(saga_id=saga).saga))
            self.sidecar.kill()
            self.sidecar.start()
            cart, till = self.as_("cart")[0], self.as_("till")[0]

    def test_rules_are_read_again(self):
        cart, _, _ = self.as_("cart")
        night, night_operator, _ = self.as_("night")
        night.RegisterDefinition(source=definition("order", step("a")).encode())
        saga = night.Start(definition="order").saga_id
        self.assertEqual("PERMISSION_DENIED", code_of(cart.Get, saga_id=saga))
        self.sidecar.options["authorization"] = [dict(RULES[0], sagas="all")] + RULES[1:]
        self.sidecar.write_config()
        told = night_operator.Reload(actor="ada")
        self.assertEqual((["authorization"], []), (list(told.taken), list(told.needs_restart)))
        self.assertEqual("OK", code_of(cart.Get, saga_id=saga))
        # Who may connect stays as it was, so what rules make of them waits with it.
        self.sidecar.options.update(authorization=RULES[1:], unix_access="everybody")
        self.sidecar.write_config()
        told = night_operator.Reload(actor="ada")
        self.assertEqual(([], ["authorization", "unix_access"]), (list(told.taken), sorted(told.needs_restart)))
        self.assertEqual("OK", code_of(cart.Get, saga_id=saga))
        self.sidecar.options.update(unix_access="owner")
        self.sidecar.write_config()
        self.assertEqual(["authorization"], list(night_operator.Reload(actor="ada").taken))
        self.assertEqual("PERMISSION_DENIED", code_of(cart.Get, saga_id=saga))

    def test_what_a_saga_puts_out_is_a_payload(self):
        night, _, _ = self.as_("night")
        unix, _, _ = self.as_("unix")
        night.RegisterSchema(name="typed", descriptors=shapes.SHOP.SerializeToString())
        night.RegisterDefinition(source=PUTS_OUT.encode())
        self.shop.on("/typed.v1.Shop/Reserve", lambda call: shapes.Receipt(receipt_id="R").SerializeToString())
        saga = night.Start(definition="puts_out", input_json='{"order_id": "A"}').saga_id
        self.assertIn("R", night.Wait(saga_id=saga).saga.output_json)
        seen = unix.Wait(saga_id=saga).saga
        self.assertEqual(("COMMITTED", b"", ""), (state_name(seen), seen.output, seen.output_json))
        # Who began a saga is given what it puts out, without a right to payloads.
        self.sidecar.options["authorization"] = RULES + [{"who": "spiffe://example.org/ns/shop/sa/till", "may": "service"}]
        self.sidecar.write_config()
        self.as_("night")[1].Reload(actor="ada")
        till, _, _ = self.as_("till")
        own = till.Start(definition="puts_out", input_json='{"order_id": "A"}').saga_id
        self.assertIn("R", till.Wait(saga_id=own).saga.output_json)
        self.assertEqual("PERMISSION_DENIED", code_of(till.Get, saga_id=own, include_payloads=True))
        self.assertEqual("PERMISSION_DENIED", code_of(till.Wait, saga_id=saga))

    def test_a_rule_about_tags_is_about_their_sagas(self):
        """Tenants share a sidecar: each starts and sees sagas with its own tag alone, alive and ended, whichever loop they live in."""
        self.sidecar.stop()
        self.sidecar.options.update(loops=2, data_dir=os.path.join(self.sidecar.directory, "two"), authorization=[
            {"who": CART, "may": ["service", "payloads"], "sagas": "all", "tags": {"tenant": "acme"}},
            {"who": TILL, "may": "operator", "tags": {"tenant": "other"}},
            {"who": NIGHT, "may": ["operator", "payloads"]}])
        self.sidecar.start()
        night, cart, till = self.as_("night")[0], self.as_("cart")[0], self.as_("till")[0]
        night.RegisterSchema(name="typed", descriptors=shapes.SHOP.SerializeToString())
        night.RegisterDefinition(source=TAGGED.encode())
        night.RegisterDefinition(source=definition("untagged", step("a")).encode())
        self.shop.on("/typed.v1.Shop/Reserve", lambda call: shapes.Receipt(receipt_id="R").SerializeToString())

        def start(coordinator, tenant, **more):
            return coordinator.Start(definition="tagged", input_json='{"order_id": "%s"}' % tenant, timeout=PATIENCE_S, **more).saga_id

        ours = [start(cart, "acme", request_id="r-%d" % i) for i in range(6)]
        theirs = [start(till, "other", request_id="r-%d" % i) for i in range(6)]
        # Dead letters, each its own: of two loops, without asking for a tag.
        night.RegisterDefinition(source=FAILS.encode())
        self.shop.on("/typed.v1.Shop/Release", fail(grpc.StatusCode.FAILED_PRECONDITION, "no"))
        stuck = {t: {c.Start(definition="fails", input_json='{"order_id": "%s"}' % t).saga_id for _ in range(4)} for c, t in ((cart, "acme"), (till, "other"))}
        for saga in stuck["acme"] | stuck["other"]:
            night.Wait(saga_id=saga, until_stuck=True, timeout=PATIENCE_S)
        letters = lambda name, **fields: {s.id for s in self.as_(name)[1].ListDeadLetters(**fields).sagas}
        self.assertEqual(stuck["acme"] | stuck["other"], letters("night"))
        for fields in ({}, {"definition": "fails"}, {"where": "state == STUCK"}):
            self.assertEqual((stuck["acme"], stuck["other"]), (letters("cart", **fields), letters("till", **fields)))
        self.assertEqual(set(), letters("till", definition="untagged"))
        before = len(night.List().sagas)
        for coordinator, tenant in ((cart, "other"), (cart, ""), (till, "acme")):
            with self.assertRaises(grpc.RpcError) as caught:
                start(coordinator, tenant)
            self.assertEqual("PERMISSION_DENIED", caught.exception.code().name)
            self.assertIn("no rule of authorization says so of a saga with these tags", caught.exception.details())
        self.assertEqual("PERMISSION_DENIED", code_of(cart.Start, definition="untagged"))
        self.assertEqual("PERMISSION_DENIED", code_of(cart.Begin, name="enlisted"))
        self.assertEqual(before, len(night.List().sagas))
        told = wait_until(lambda: self.sidecar.log("a call was refused: no rule allows it"), "it is told")[0]
        self.assertEqual(("Start", "tags", CART), (told["method"], told["reason"], told["identity"]))
        port = self.sidecar.log("listening for probes and scrapes")[-1]["port"]
        with urllib.request.urlopen("http://127.0.0.1:%s/metrics" % port, timeout=PATIENCE_S) as page:
            self.assertRegex(page.read().decode(), r'sagad_requests_refused_total\{method="Start",reason="PERMISSION_DENIED"\} 4')
        piped = message("saga.v1.PipeRequest")(commands=[message("saga.v1.Command")(start=message("saga.v1.StartRequest")(definition="tagged", input_json='{"order_id": "%s"}' % t))
                                                 for t in ("acme", "other")])
        results = next(cart.Pipe(iter([piped]))).results
        self.assertEqual(["start", "error"], [r.WhichOneof("result") for r in results])
        for _ in range(2):
            for coordinator, own, other, tenant in ((cart, ours, theirs, "acme"), (till, theirs, ours, "other")):
                for saga in own:
                    self.assertEqual("COMMITTED", state_name(coordinator.Wait(saga_id=saga).saga))
                    self.assertEqual("OK", code_of(coordinator.Get, saga_id=saga))
                for saga in other:
                    for call in (coordinator.Get, coordinator.Wait, coordinator.Cancel):
                        self.assertEqual("PERMISSION_DENIED", code_of(call, saga_id=saga))
                self.assertEqual("PERMISSION_DENIED", code_of(coordinator.List))
                tag = {"name": "tenant", "value": tenant}
                self.assertLessEqual(set(own), {s.id for s in coordinator.List(tags=[message("saga.v1.Tag")(**tag)]).sagas})
                self.assertFalse(set(other) & {s.id for s in coordinator.List(tags=[message("saga.v1.Tag")(**tag)]).sagas})
                wrong = message("saga.v1.Tag")(name="tenant", value="acme" if tenant == "other" else "other")
                self.assertEqual("PERMISSION_DENIED", code_of(coordinator.List, tags=[wrong]))
                self.assertEqual("OK", code_of(coordinator.GetDefinition, name="tagged"))
                self.assertEqual("PERMISSION_DENIED", code_of(coordinator.RegisterDefinition, source=definition("n", step("a")).encode()))
            self.assertIn("R", cart.Wait(saga_id=ours[0]).saga.output_json)
            self.assertEqual("OK", code_of(cart.Get, saga_id=ours[0], include_payloads=True))
            self.assertEqual("OK", code_of(till.Find, request_id="r-1"))
            self.assertEqual(theirs[1], till.Find(request_id="r-1").saga_id)
            self.assertEqual("PERMISSION_DENIED", code_of(self.as_("till")[1].Reload, actor="ada"))
            self.sidecar.kill()
            self.sidecar.start()
            night, cart, till = self.as_("night")[0], self.as_("cart")[0], self.as_("till")[0]
        # Who may not ask how targets are is told the rest.
        sagactl = os.path.join(os.path.dirname(SAGAD), "sagactl")
        told = subprocess.run([sagactl, "--address", "tls://localhost:%d" % self.sidecar.ports["tls://127.0.0.1:0"], "--tls-roots", self.pki.path("ca.pem"),
                               "--tls-certificate", self.pki.path("till.pem"), "--tls-key", self.pki.path("till.key"), "why", max(stuck["other"])],
                              capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertEqual(0, told.returncode, told)
        self.assertRegex(told.stdout, r"the action of fail\n +waits for +an operator(?s:.*)what you can do\n")
        for name in ("StartBulk", "Status", "ListJournals", "ListRules", "ListBulks"):
            self.assertEqual("PERMISSION_DENIED", code_of(getattr(self.as_("till")[1], name)), name)
        self.assertIn("Get: allowed for sagas with some tags by authorization[0]\n",
                      subprocess.run([SAGAD, "-f", os.path.join(self.sidecar.directory, "sagad.yaml"), "--as", CART], capture_output=True, text=True,
                                     timeout=PATIENCE_S).stdout)

    def test_nobody_is_whom_he_says_that_he_asks_for(self):
        """What sidecars of a fleet tell one another of who asked is believed of nobody else."""
        claims = [("saga-forwarded-bin", ("1 %d 0 %d 0 0\n\n%s" % (transport, user, NIGHT)).encode()) for transport in range(5) for user in range(2)]
        for name in ("cart", "other", "unix", "plain"):
            operator = self.as_(name)[1]
            for claim in claims:
                with self.assertRaises(grpc.RpcError) as caught:
                    operator.Pause(saga_id="9f03c1d2a4b7-1", actor="eve", metadata=[claim])
                self.assertEqual("PERMISSION_DENIED", caught.exception.code().name, (name, claim))

    def test_a_refusal_says_why_and_is_counted(self):
        cart, operator, _ = self.as_("cart")
        with self.assertRaises(grpc.RpcError) as caught:
            operator.Retry(saga_id="abc-1", actor="ada")
        self.assertEqual("Retry is not allowed to %s: no rule of authorization says so" % CART, caught.exception.details())
        told = wait_until(lambda: self.sidecar.log("a call was refused: no rule allows it"), "it is told")[0]
        self.assertEqual(("Retry", "method", CART), (told["method"], told["reason"], told["identity"]))
        port = self.sidecar.log("listening for probes and scrapes")[0]["port"]
        with urllib.request.urlopen("http://127.0.0.1:%s/metrics" % port, timeout=PATIENCE_S) as page:
            text = page.read().decode()
        self.assertRegex(text, r'sagad_requests_refused_total\{method="Retry",reason="PERMISSION_DENIED"\} 1')

    def test_refusals_are_told_once_a_second_and_each_is_counted_once(self):
        cart, _, _ = self.as_("cart")
        lines = lambda: self.sidecar.log("a call was refused: no rule allows it")
        refused = 0
        while len(lines()) < 3:
            self.assertEqual("PERMISSION_DENIED", code_of(cart.Start, definition="refund"))
            refused += 1
        self.assertLessEqual(sum(1 + int(l["others"]) for l in lines()[:3]), refused)
        self.assertGreater(sum(int(l["others"]) for l in lines()[:3]), 0)

    def test_descriptors_are_for_those_who_may_do_anything_and_health_for_all(self):
        def reflect(channel):
            ask = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
            try:
                return b"saga.v1.Operator" in next(ask(iter([b"\x3a\x00"]), timeout=PATIENCE_S))  # list_services
            except grpc.RpcError as error:
                return error.code().name

        for name, expected in (("cart", True), ("unix", True), ("other", "PERMISSION_DENIED"), ("plain", "PERMISSION_DENIED")):
            _, _, channel = self.as_(name)
            self.assertEqual(expected, reflect(channel), name)
            self.assertEqual("OK", code_of(Stub(channel, "grpc.health.v1.Health").Check))

    def test_the_rules_explain_themselves(self):
        def explain(*arguments):
            done = subprocess.run([SAGAD, "-f", os.path.join(self.sidecar.directory, "sagad.yaml")] + list(arguments), capture_output=True,
                                  text=True, timeout=PATIENCE_S)
            return done.returncode, done.stdout

        self.assertEqual((1, "Retry: denied\n"), explain("--as", CART, "--method", "Retry"))
        self.assertEqual((0, "Start: allowed for some definitions by authorization[0]\n"), explain("--as", CART, "--method", "Start"))
        self.assertEqual((0, "Start: allowed by authorization[0]\n"), explain("--as", CART, "--method", "Start", "--definition", "order-2"))
        self.assertEqual((1, "Start: denied\n"), explain("--as", CART, "--method", "Start", "--definition", "refund"))
        self.assertEqual((0, "Get: allowed by authorization[1]\nGet with payloads: allowed by authorization[1]\n"),
                         explain("--as", NIGHT, "--method", "Get"))
        self.assertEqual((1, "Get: denied\nGet with payloads: denied\n"), explain("--as", "plaintext", "--method", "Get"))
        code, text = explain("--as", "uid:%d" % os.getuid())
        self.assertEqual(0, code)
        self.assertIn("RegisterDefinition: allowed by authorization[2]\n", text)
        self.assertEqual((2, ""), explain("--as", "somebody"))
        self.assertEqual((2, ""), explain("--as", CART, "--method", "Delete"))


    def test_a_running_sidecar_explains_its_rules(self):
        """To each what it may do itself; of others to whoever may read the audit trail."""
        sagactl = os.path.join(os.path.dirname(SAGAD), "sagactl")
        tls = "tls://localhost:%d" % self.sidecar.ports["tls://127.0.0.1:0"]

        def explain(name, *arguments):
            how = ["-a", self.socket] if name == "unix" else ["-a", tls, "--tls-roots", self.pki.path("ca.pem"), "--tls-certificate",
                                                              self.pki.path(name + ".pem"), "--tls-key", self.pki.path(name + ".key")]
            done = subprocess.run([sagactl] + how + ["authz", "explain"] + list(arguments), capture_output=True, text=True, timeout=PATIENCE_S)
            return done.returncode, done.stdout or done.stderr

        self.assertEqual((0, "Start: allowed for some definitions by authorization[0]\n"), explain("cart", "--method", "Start"))
        self.assertEqual((0, "Start: allowed by authorization[0]\n"), explain("cart", "--method", "Start", "--definition", "order-2"))
        self.assertEqual((1, "Start: denied\n"), explain("cart", "--method", "Start", "--definition", "refund"))
        self.assertEqual((0, "Wait: allowed for sagas that it has begun by authorization[0]\n"),
                         explain("cart", "--method", "Wait", "--definition", "order"))
        self.assertEqual((1, "Retry: denied\n"), explain("night", "--as", CART, "--method", "Retry"))
        for name in ("cart", "unix"):  # who may ask about himself, and may not read the trail
            code, text = explain(name, "--as", NIGHT, "--method", "Retry")
            self.assertEqual(1, code)
            self.assertIn("only who may read the audit trail may ask about others", text)
        code, text = explain("unix")
        self.assertEqual(0, code)
        self.assertIn("uid:%d:\n" % os.getuid(), text)
        self.assertIn("RegisterDefinition: allowed by authorization[2]\n", text)
        self.assertIn("Retry: denied\n", text)
        code, text = explain("cart", "--as", NIGHT)
        self.assertEqual(1, code)
        self.assertIn("only who may read the audit trail may ask about others", text)
        self.assertEqual(1, explain("other")[0])  # who may nothing is told nothing
        self.assertIn("is nobody", explain("night", "--as", "somebody")[1])
        self.assertIn("there is no method of this name", explain("night", "--method", "Delete")[1])
        code, text = explain("night", "--as", "gid:7", "-o", "json", "--method", "Get")
        self.assertEqual(1, code)
        self.assertIn('"EXTENT_DENIED"', text)
        # What was read again holds.
        self.sidecar.options["authorization"] = [dict(RULES[1], who=[NIGHT, CART])]
        self.sidecar.write_config()
        self.as_("night")[1].Reload(actor="ada")
        self.assertEqual((0, "Retry: allowed by authorization[0]\n"), explain("cart", "--method", "Retry"))


class WithoutRules(unittest.TestCase):
    def test_operators_do_not_come_in_plaintext(self):
        sidecar = Sidecar(start=False, plaintext_operators=False)
        self.addCleanup(sidecar.close)
        socket = "unix:" + os.path.join(sidecar.directory, "s")
        sidecar.options["listen"] = ["127.0.0.1:0", socket]
        sidecar.start()
        with grpc.insecure_channel(socket, options=CHANNEL_OPTIONS) as channel:
            self.assertEqual("INVALID_ARGUMENT", code_of(Stub(channel, "saga.v1.Operator").Pause, saga_id="x", actor="ada"))
        self.assertEqual("PERMISSION_DENIED", code_of(sidecar.client.operator.Pause, saga_id="x", actor="ada"))
        self.assertEqual("OK", code_of(sidecar.client.operator.ListDeadLetters))

    def test_a_unix_socket_is_as_open_as_it_says(self):
        for access, mode in (("owner", 0o600), ("group", 0o660), ("everybody", 0o666)):
            sidecar = Sidecar(start=False, unix_access=access, authorization=[{"who": "uid:%d" % os.getuid(), "may": "viewer"}])
            self.addCleanup(sidecar.close)
            path = os.path.join(sidecar.directory, "s")
            sidecar.options["listen"] = ["unix:" + path]
            sidecar.start()
            self.assertEqual(mode, os.stat(path).st_mode & 0o777)

    @unittest.skipUnless(os.getuid() == 0, "becomes another user")
    def test_users_of_a_socket_are_told_apart(self):
        sidecar = Sidecar(start=False, unix_access="everybody", authorization=[{"who": "uid:12345", "may": "viewer"},
                                                                               {"who": "gid:54321", "may": "operator"}])
        self.addCleanup(sidecar.close)
        os.chmod(sidecar.directory, 0o755)
        path = os.path.join(sidecar.directory, "s")
        sidecar.options["listen"] = ["unix:" + path]
        sidecar.start()
        sagactl = os.path.join(os.path.dirname(SAGAD), "sagactl")

        def ask(user, group, *arguments):
            done = subprocess.run([sagactl, "--address", "unix:" + path] + list(arguments), capture_output=True, text=True, user=user,
                                  group=group, extra_groups=[], cwd="/", timeout=PATIENCE_S)
            return done.returncode == 0, "is not allowed to uid %d" % user in done.stderr

        self.assertEqual((True, False), ask(12345, 12345, "list"))
        self.assertEqual((False, True), ask(12346, 12345, "list"))
        self.assertEqual((False, True), ask(12345, 12345, "pause", "abc000000000-1"))
        self.assertEqual((True, False), ask(12346, 54321, "list"))


class Memory(unittest.TestCase):
    def limits(self, **options):
        sidecar = Sidecar(**options)
        self.addCleanup(sidecar.close)
        place = "/proc/%d/" % sidecar.process.pid
        with open(place + "limits", encoding="ascii") as limits, open(place + "coredump_filter", encoding="ascii") as kinds:
            limit = next(line.split()[4] for line in limits if line.startswith("Max core file size"))
            return limit, int(kinds.read(), 16)

    def test_a_crash_leaves_no_memory_behind(self):
        self.assertEqual(("0", 0), self.limits())
        self.assertNotEqual(0, self.limits(core_dumps=True)[1])

    @needs_files
    def test_a_directory_that_does_not_stay_is_told_of(self):
        words = "the journal will be lost with the pod or the machine: its directory is none that stays"
        with tempfile.TemporaryDirectory(prefix="saga-memory-", dir="/dev/shm") as directory:
            sidecar = Sidecar(data_dir=os.path.join(directory, "data"))
            told = sidecar.log(words)
            sidecar.close()  # before its directory goes
            self.assertEqual("memory (tmpfs)", told[0]["kind"])
        with tempfile.TemporaryDirectory(prefix="saga-disk-", dir=os.path.dirname(os.path.abspath(__file__))) as directory:
            sidecar = Sidecar(data_dir=os.path.join(directory, "data"))
            told = sidecar.log(words)
            sidecar.close()
            self.assertEqual([], told)


if __name__ == "__main__":
    unittest.main()
