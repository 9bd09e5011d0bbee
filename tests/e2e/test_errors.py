"""Every documented error as a client sees it: the gRPC status, ErrorInfo's reason, BadRequest's field, RetryInfo."""
import grpc

from harness import POOL, Case, Gate, Sidecar, definition, do, enlistment, settled, step

NOBODY = "000000000000-1"
Code = grpc.StatusCode


class Errors(Case):
    options = {"payload_bytes_max": "1KiB", "steps_max": 4, "definition_bytes_max": "1KiB", "definitions_max": 9,
               "deadline_max": "1h", "live_sagas_max": 50}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.register(definition("one", step("a")))

    def invalid(self, field, call, **fields):
        failure = self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", call, field=field, **fields)
        self.assertIn(failure.description, failure.text)
        self.assertIsNone(failure.retry_delay_ms)
        return failure

    def test_saga_not_found(self):
        client, operator = self.client, self.client.operator
        for call in (client.Enlist, client.Settle, client.KeepAlive, client.Commit, client.Abort, client.Get, client.Wait,
                     client.Cancel):
            self.refused("NOT_FOUND", "SAGA_NOT_FOUND", call, saga_id=NOBODY)
        self.refused("NOT_FOUND", "SAGA_NOT_FOUND", client.Watch, saga_id=NOBODY)
        for call in (operator.Pause, operator.Resume, operator.Retry):
            self.refused("NOT_FOUND", "SAGA_NOT_FOUND", call, saga_id=NOBODY, actor="me")
        self.refused("NOT_FOUND", "SAGA_NOT_FOUND", operator.Resolve, saga_id=NOBODY, actor="me", reason="why")
        self.refused("NOT_FOUND", "SAGA_NOT_FOUND", operator.Skip, saga_id=NOBODY, actor="me", reason="why", step="a")

    def test_a_saga_of_another_tag(self):
        """Only the whole id is an id: the right serial under a foreign tag finds nothing."""
        saga_id = self.client.run("one").id
        tag, serial = saga_id.split("-")
        other = "%012x-%s" % (int(tag, 16) ^ 1, serial)
        for call in (self.client.Get, self.client.Wait, self.client.Cancel):
            self.refused("NOT_FOUND", "SAGA_NOT_FOUND", call, saga_id=other)

    def test_saga_id(self):
        client, operator = self.client, self.client.operator
        for bad in ("", "nonsense", "000000000000-", "000000000000-1 ", "-1", "0" * 500):
            for call in (client.Enlist, client.Settle, client.KeepAlive, client.Commit, client.Abort, client.Get, client.Wait,
                         client.Cancel):
                self.invalid("saga_id", call, saga_id=bad)
            self.invalid("saga_id", operator.Pause, saga_id=bad, actor="me")
        self.invalid("saga_id", client.Watch, saga_id="nonsense")

    def test_start(self):
        start = self.client.Start
        self.invalid("definition", start)
        self.refused("NOT_FOUND", "DEFINITION_NOT_FOUND", start, definition="nothing")
        failure = self.refused("NOT_FOUND", "DEFINITION_NOT_FOUND", start, definition="one", version="9.9.9")
        self.assertIn("9.9.9", failure.text)
        self.invalid("request_id", start, definition="one", request_id="x" * 129)
        self.invalid("traceparent", start, definition="one", traceparent="x" * 65)
        # What cannot be a header would keep every call of the saga from leaving.
        self.invalid("traceparent", start, definition="one", traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-0\n")
        self.invalid("traceparent", start, definition="one", traceparent="00-" + "a" * 32 + "-" + "b" * 15 + "\u00e9-01")
        self.invalid("deadline", start, definition="one", deadline={"nanos": 1})
        self.invalid("deadline", start, definition="one", deadline={"seconds": -1})
        self.invalid("deadline", start, definition="one", deadline={"seconds": 3601})
        self.invalid("deadline", start, definition="one", deadline={"seconds": 1, "nanos": -5})
        failure = self.refused("RESOURCE_EXHAUSTED", "PAYLOAD_BYTES_MAX", start, definition="one", input=b"x" * 1025)
        self.assertIsNone(failure.retry_delay_ms, "the same request will not fit later either")
        self.assertState("COMMITTED", self.client.run("one", input=b"x" * 1024))

    def test_begin(self):
        begin = self.client.Begin
        for name in ("", "a b", "x" * 129, "\u00e4"):
            self.invalid("name", begin, name=name)
        self.invalid("lease", begin, name="x", lease={"nanos": 999999})
        self.invalid("lease", begin, name="x", lease={"seconds": 7200})
        self.invalid("deadline", begin, name="x", deadline={"seconds": 7200})
        self.invalid("enlist[0].step", begin, name="x", enlist=[{}])
        self.invalid("enlist[1].step", begin, name="x", enlist=[enlistment("a"), enlistment("x" * 65)])
        self.invalid("enlist[0].compensation.method", begin, name="x",
                     enlist=[{"step": "a", "compensation": {"target": "shop", "method": "Undo"}}])
        self.invalid("enlist[0].compensation.timeout", begin, name="x", enlist=[enlistment("a", timeout={"seconds": -1})])
        for field, value in (("max_attempts", 1001), ("max_attempts", -1), ("backoff_multiplier", 0.5),
                             ("jitter", {"value": 1.5}), ("initial_backoff", {"nanos": 1}), ("max_backoff", {"seconds": -1})):
            self.invalid("enlist[0].compensation.retry." + field, begin, name="x", enlist=[enlistment("a", retry={field: value})])
        self.refused("INVALID_ARGUMENT", "TARGET_NOT_FOUND", begin, name="x", enlist=[enlistment("a", target="")],
                     field="enlist[0].compensation.target")
        self.refused("RESOURCE_EXHAUSTED", "STEPS_MAX", begin, name="x", enlist=[enlistment(s) for s in "abcde"])
        self.refused("RESOURCE_EXHAUSTED", "PAYLOAD_BYTES_MAX", begin, name="x", enlist=[enlistment("a", request=b"x" * 1025)])

    def test_settle(self):
        saga_id = self.client.Begin(name="x", enlist=[enlistment("a")]).saga_id
        self.refused("NOT_FOUND", "STEP_NOT_FOUND", self.client.Settle, saga_id=saga_id, settle=[settled("b")])
        self.invalid("settle[0].outcome", self.client.Settle, saga_id=saga_id, settle=[{"step": "a"}])
        self.invalid("settle[0].outcome", self.client.Settle, saga_id=saga_id, settle=[settled("a", 17)])
        self.refused("RESOURCE_EXHAUSTED", "PAYLOAD_BYTES_MAX", self.client.Settle, saga_id=saga_id,
                     settle=[settled("a", output=b"x" * 1025)])
        self.client.Enlist(saga_id=saga_id, enlist=[enlistment(s) for s in "bcd"])
        self.refused("RESOURCE_EXHAUSTED", "STEPS_MAX", self.client.Enlist, saga_id=saga_id, enlist=[enlistment("e")])
        self.client.Abort(saga_id=saga_id)
        self.client.end(saga_id)

    def test_states(self):
        ended = self.client.run("one").id
        gate = Gate()
        self.shop.on(do("a"), gate)
        running = self.client.Start(definition="one").saga_id
        for call in (self.client.Enlist, self.client.Settle, self.client.Commit, self.client.Abort, self.client.KeepAlive):
            self.refused("FAILED_PRECONDITION", "NOT_ENLISTED_SAGA", call, saga_id=running)
            self.refused("FAILED_PRECONDITION", "SAGA_ENDED", call, saga_id=ended)
        gate.open()
        self.refused("FAILED_PRECONDITION", "SAGA_ENDED", self.client.operator.Pause, saga_id=ended, actor="me")
        self.refused("FAILED_PRECONDITION", "SAGA_ENDED", self.client.operator.Resolve, saga_id=ended, actor="me", reason="r")
        self.refused("FAILED_PRECONDITION", "SAGA_ENDED", self.client.operator.Retry, saga_id=ended, actor="me")
        enlisted = self.client.Begin(name="x", enlist=[enlistment("a")]).saga_id
        self.client.Commit(saga_id=enlisted, settle=[settled("a")])
        self.refused("FAILED_PRECONDITION", "SAGA_ENDED", self.client.Abort, saga_id=enlisted)
        self.refused("FAILED_PRECONDITION", "SAGA_ENDED", self.client.Enlist, saga_id=enlisted, enlist=[enlistment("b")])

    def test_operator(self):
        operator = self.client.operator
        gate = Gate()
        self.shop.on(do("a"), gate)
        saga_id = self.client.Start(definition="one").saga_id
        for call in (operator.Pause, operator.Resume, operator.Retry):
            self.invalid("actor", call, saga_id=saga_id)
            self.invalid("actor", call, saga_id=saga_id, actor="x" * 129)
        self.invalid("actor", operator.Resolve, saga_id=saga_id, reason="r")
        self.invalid("reason", operator.Resolve, saga_id=saga_id, actor="me")
        self.invalid("reason", operator.Skip, saga_id=saga_id, actor="me", step="a")
        self.invalid("reason", operator.Pause, saga_id=saga_id, actor="me", reason="x" * 257)
        for call, more in ((operator.Retry, {}), (operator.Skip, {"reason": "r", "step": "a"}),
                           (operator.Resolve, {"reason": "r"})):
            self.refused("FAILED_PRECONDITION", "SAGA_NOT_STUCK", call, saga_id=saga_id, actor="me", **more)
        gate.open()
        self.client.end(saga_id)

    def test_pages(self):
        for call in (self.client.List, self.client.ListDefinitions, self.client.operator.ListDeadLetters):
            self.invalid("page_size", call, page_size=-1)
            self.invalid("page_size", call, page_size=1001)
            for token in ("zz", "0x1", " 1", "11111111111111111"):
                self.invalid("page_token", call, page_token=token)
        self.invalid("states", self.client.List, states=[99])
        self.invalid("started_from", self.client.List, started_from={"seconds": -1})
        self.invalid("started_before", self.client.List, started_before={"nanos": -1})

    def test_watch(self):
        saga_id = self.client.run("one").id
        for cursor in ("?", "ffffffff-0", "1", "-"):
            self.invalid("cursor", self.client.Watch, saga_id=saga_id, cursor=cursor)

    def test_definitions(self):
        register = self.client.register
        failure = self.refused("INVALID_ARGUMENT", "SYNTAX", register, "name: x\nversion: 1.0.0\nsteps: [\n")
        self.assertRegex(failure.text, r"^\d+:\d+: ")
        text = definition("typed", step("a")).replace("action", "acton")
        failure = self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", register, text)
        self.assertRegex(failure.text, r"^4:\d+: steps\[0\]\.acton: .*did you mean action\?")
        self.assertEqual("steps[0].acton", failure.field)
        self.refused("INVALID_ARGUMENT", "TARGET_NOT_FOUND", register, definition("typed", step("a")).replace("shop,", "nobody,"))
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", register,
                     definition("circle", step("a", after=["b"]), step("b", after=["a"])))
        self.refused("ALREADY_EXISTS", "DEFINITION_EXISTS", register, definition("one", step("b")))
        self.refused("NOT_FOUND", "DEFINITION_NOT_FOUND", self.client.GetDefinition, name="nothing")
        self.refused("NOT_FOUND", "DEFINITION_NOT_FOUND", self.client.GetDefinition, name="one", version="2.0.0")
        failure = self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", register, "# " + "x" * 1100)
        self.assertIn("definition_bytes_max", failure.text)

    def test_definitions_max(self):
        sidecar = Sidecar(definitions_max=2, targets={"shop": self.shop.address})
        try:
            sidecar.client.register(definition("one", step("a")))
            sidecar.client.register(definition("one", step("a"), version="1.0.1"))
            self.refused("RESOURCE_EXHAUSTED", "DEFINITIONS_MAX", sidecar.client.register, definition("two", step("a")))
            self.refused("RESOURCE_EXHAUSTED", "DEFINITIONS_MAX", sidecar.client.RegisterDefinition,
                         source=definition("two", step("a")).encode(), dry_run=True)
            sidecar.client.RegisterDefinition(source=definition("one", step("a")).encode(), dry_run=True)
            sidecar.client.register(definition("one", step("a")))
        finally:
            sidecar.close()

    def test_live_sagas_max(self):
        sidecar = Sidecar(live_sagas_max=2, targets={"shop": self.shop.address})
        try:
            first = sidecar.client.Begin(name="x", request_id="first").saga_id
            sidecar.client.Begin(name="x")
            failure = self.refused("RESOURCE_EXHAUSTED", "LIVE_SAGAS_MAX", sidecar.client.Begin, name="x")
            self.assertGreater(failure.retry_delay_ms, 0)
            again = sidecar.client.Begin(name="x", request_id="first")
            self.assertEqual((first, True), (again.saga_id, again.already_started), "a repeated request is answered all the same")
            sidecar.client.Commit(saga_id=first)
            sidecar.client.end(first)
            sidecar.client.Begin(name="x")
        finally:
            sidecar.close()

    def test_not_protobuf(self):
        """Bytes that are no message of the method's type."""
        for service in ("saga.v1.Coordinator", "saga.v1.Operator"):
            for method in POOL.FindServiceByName(service).methods:
                if method.name in ("Pipe", "Watch"):
                    continue
                with self.subTest(method=method.name):
                    call = self.client.channel.unary_unary("/%s/%s" % (service, method.name))
                    failure = self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", lambda: call(b"\xff\xff\xff\x01\x02", timeout=20))
                    self.assertIn(method.input_type.full_name, failure.text)
        watch = self.client.channel.unary_stream("/saga.v1.Coordinator/Watch")
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", lambda: list(watch(b"\x0a\xff", timeout=20)))

    def test_unknown_methods(self):
        for path in ("/saga.v1.Coordinator/Nothing", "/nobody.v1.Nowhere/Nothing", "/x", "/"):
            with self.assertRaises(grpc.RpcError) as raised:
                self.client.channel.unary_unary(path)(b"", timeout=20)
            self.assertEqual(Code.UNIMPLEMENTED, raised.exception.code(), path)

    def test_every_text_of_a_status_is_ascii_or_utf8(self):
        """Names from outside come back in messages; they must not break the header that carries them."""
        failure = self.refused("NOT_FOUND", "DEFINITION_NOT_FOUND", self.client.Start, definition="\u00e4\n%\u2603")
        self.assertIn("\u2603", failure.text)
