"""What looks at sagas and definitions: Get, List, Wait, Watch, and the definitions' own calls."""
import os
import tempfile
import threading
import time

import grpc

from harness import (LOOPS, Case, Gate, Sidecar, definition, do, enlistment, enum, enum_name, fail, failure_of, settled,
                     state, step, wait_until)

Code = grpc.StatusCode


def event_names(events):
    return [(enum_name("EventType", e.type).replace("EVENT_TYPE_", ""), e.step) for e in events]


class Reads(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.register(definition("two", step("a"), step("b", after=["a"])))

    # ---- Get ----

    def test_timeline(self):
        self.shop.on(do("b"), fail(Code.NOT_FOUND, "no such thing"))
        saga = self.client.run("two")
        got = self.client.Get(saga_id=saga.id)
        self.assertEqual([("SAGA_STARTED", ""), ("ACTION_STARTED", "a"), ("ACTION_ENDED", "a"), ("ACTION_STARTED", "b"),
                          ("ACTION_ENDED", "b"), ("TURNED_BACK", "b"), ("COMPENSATION_STARTED", "a"),
                          ("COMPENSATION_ENDED", "a"), ("ENDED", "")], event_names(got.timeline))
        self.assertFalse(got.timeline_truncated)
        refused = got.timeline[4]
        self.assertEqual((5, "no such thing", enum("ActionState", "ACTION_STATE_REJECTED"), 1),
                         (refused.status, refused.message, refused.action, refused.attempt))
        self.assertEqual(state("COMPENSATED"), got.timeline[-1].state)
        times = [(e.at.seconds, e.at.nanos) for e in got.timeline]
        self.assertEqual(sorted(times), times)
        self.assertEqual(len(times), len({e.cursor for e in got.timeline}))
        self.assertEqual({saga.id}, {e.saga_id for e in got.timeline})
        self.assertEqual({"two"}, {e.definition for e in got.timeline})

    def timeline_pages(self, saga_id, size):
        token = ""
        while True:
            got = self.client.Get(saga_id=saga_id, page_size=size, page_token=token)
            self.assertEqual(saga_id, got.saga.id)
            yield got
            token = got.next_page_token
            if not token:
                return

    def test_a_timeline_in_pages(self):
        for end in (None, "Commit"):
            saga_id = self.client.Begin(name="paged").saga_id
            for i in range(60):
                self.client.Enlist(saga_id=saga_id, enlist=[enlistment("s%d" % i)], settle=[settled("s%d" % (i - 1))] if i else [])
            if end is not None:
                self.client.Commit(saga_id=saga_id, settle=[settled("s59")])
            whole = self.client.Get(saga_id=saga_id)
            self.assertEqual((False, ""), (whole.timeline_truncated, whole.next_page_token))
            self.assertEqual(60, len(whole.saga.steps))
            for size in (1, 7, 50, len(whole.timeline), 5000):
                pages = list(self.timeline_pages(saga_id, size))
                self.assertEqual([e for page in reversed(pages) for e in page.timeline], list(whole.timeline))
                self.assertEqual([True] * (len(pages) - 1) + [False], [page.timeline_truncated for page in pages])
                self.assertLessEqual(max(len(page.timeline) for page in pages), size)
                for page in pages:
                    self.assertEqual(whole.saga.steps, page.saga.steps)
        token = self.client.Get(saga_id=saga_id, page_size=1).next_page_token
        other = self.client.Begin(name="paged").saga_id
        for bad in (dict(saga_id=other, page_token=token), dict(saga_id=saga_id, page_token="x"), dict(saga_id=saga_id, page_token="ffff.0"),
                    dict(saga_id=saga_id, page_size=-1), dict(saga_id=saga_id, page_size=5001)):
            self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", self.client.Get, **bad)

    def test_live_and_ended_look_alike(self):
        gate = Gate()
        self.shop.on(do("b"), gate)
        saga_id = self.client.Start(definition="two", input=b"in", request_id="alike").saga_id
        gate.await_call()
        live = self.client.saga(saga_id, payloads=True)
        self.assertState("RUNNING", live)
        self.assertFalse(live.HasField("ended_at"))
        gate.open()
        self.client.end(saga_id)
        ended = self.client.saga(saga_id, payloads=True)
        self.assertTrue(ended.HasField("ended_at"))
        for field in ("id", "mode", "definition", "version", "request_id", "input", "started_at"):
            self.assertEqual(getattr(live, field), getattr(ended, field), field)
        self.assertEqual(live.steps[0], ended.steps[0])
        self.assertEqual(b"", self.client.saga(saga_id).input)

    # ---- Wait ----

    def test_wait_ends_with_the_call(self):
        saga_id = self.client.Begin(name="x").saga_id
        with self.assertRaises(grpc.RpcError) as raised:
            self.client.Wait(saga_id=saga_id, timeout=0.2)
        self.assertEqual(Code.DEADLINE_EXCEEDED, raised.exception.code())
        self.client.Commit(saga_id=saga_id)
        self.assertState("COMMITTED", self.client.end(saga_id))

    def test_many_waiters(self):
        saga_id = self.client.Begin(name="x").saga_id
        results = []
        waiters = [threading.Thread(target=lambda: results.append(self.client.end(saga_id))) for _ in range(20)]
        for w in waiters:
            w.start()
        self.client.Commit(saga_id=saga_id)
        for w in waiters:
            w.join(20)
        self.assertEqual([state("COMMITTED")] * 20, [r.state for r in results])

    # ---- Watch ----

    def test_watch_to_the_end(self):
        gate = Gate()
        self.shop.on(do("b"), gate)
        saga_id = self.client.Start(definition="two").saga_id
        stream = self.client.Watch(saga_id=saga_id)
        events = []
        for response in stream:
            events.extend(response.events)
            if event_names(events)[-1] == ("ACTION_STARTED", "b"):
                gate.open()
        self.assertEqual(Code.OK, stream.code())
        self.assertEqual(list(self.client.Get(saga_id=saga_id).timeline), events)

    def test_watch_goes_on_after_a_cursor(self):
        saga_id = self.client.run("two").id
        timeline = list(self.client.Get(saga_id=saga_id).timeline)
        for i, event in enumerate(timeline):
            rest = [e for r in self.client.Watch(saga_id=saga_id, cursor=event.cursor, timeout=20) for e in r.events]
            self.assertEqual(timeline[i + 1:], rest)

    def test_watch_everything(self):
        stream = self.client.Watch()
        wait_for = threading.Event()
        seen = []

        def read():
            try:
                for response in stream:
                    seen.extend(response.events)
                    wait_for.set()
            except grpc.RpcError:
                pass
        reader = threading.Thread(target=read)
        reader.start()
        # The stream begins when the sidecar has taken it in; until it has shown an event nobody knows that it has.
        wait_until(lambda: self.client.run("two") and wait_for.is_set(), "the watcher sees a saga")
        saga_id = self.client.run("two").id
        wait_until(lambda: ("ENDED", "") in event_names(e for e in seen if e.saga_id == saga_id), "its end is seen")
        told = list(self.client.Get(saga_id=saga_id).timeline)
        for event in told + seen if LOOPS > 1 else []:
            event.cursor = "" # of one loop there, of all here
        self.assertEqual(told, [e for e in seen if e.saga_id == saga_id])
        stream.cancel()
        reader.join(20)

    def test_watch_resumes_over_a_restart(self):
        sidecar = Sidecar(loops=1, targets={"shop": self.shop.address})
        try:
            for how in ("kill", "stop"):
                saga_id = sidecar.client.Begin(name="x", enlist=[enlistment("a")]).saga_id
                stream = sidecar.client.Watch(saga_id=saga_id)
                events = list(next(stream).events)
                self.assertEqual([("SAGA_STARTED", ""), ("STEP_ENLISTED", "a")], event_names(events))
                everything = sidecar.client.Watch(cursor=events[-1].cursor)
                sidecar.restart(how)
                with self.assertRaises(grpc.RpcError) as raised:
                    list(stream)
                self.assertEqual(Code.UNAVAILABLE, raised.exception.code())
                if how == "stop":
                    self.assertEqual("STOPPING", failure_of(raised.exception).reason)
                everything.cancel()
                stream = sidecar.client.Watch(saga_id=saga_id, cursor=events[-1].cursor)
                everything = sidecar.client.Watch(cursor=events[-1].cursor)
                sidecar.client.Commit(saga_id=saga_id, settle=[settled("a")])
                rest = [e for r in stream for e in r.events]
                self.assertEqual([("ACTION_ENDED", "a"), ("ENDED", "")], event_names(rest))
                also = []
                while len(also) < 2:
                    also.extend(next(everything).events)
                self.assertEqual(rest, also)
                everything.cancel()
                self.assertEqual(list(sidecar.client.Get(saga_id=saga_id).timeline), events + rest)
        finally:
            sidecar.close()

    # ---- List ----

    def pages(self, size, **fields):
        sagas, token = [], ""
        while True:
            page = self.client.List(page_size=size, page_token=token, **fields)
            self.assertLessEqual(len(page.sagas), size)
            sagas.extend(page.sagas)
            token = page.next_page_token
            if token == "":
                return sagas

    def test_list(self):
        self.client.register(definition("listed", step("a")))
        gate = Gate()
        ended = [self.client.run("listed").id for _ in range(7)]
        self.shop.on(do("a"), fail(Code.NOT_FOUND))
        ended += [self.client.run("listed").id for _ in range(3)]
        middle = self.client.saga(ended[5]).started_at
        self.shop.on(do("a"), gate)
        live = [self.client.Start(definition="listed").saga_id for _ in range(4)]
        newest_first = list(reversed(ended + live))
        for size in (1, 3, 5, 14, 1000):
            self.assertEqual(newest_first, [s.id for s in self.pages(size, definition="listed")])
        self.assertEqual(newest_first, [s.id for s in self.client.List(definition="listed").sagas])
        self.assertEqual([], self.client.List(definition="listed").sagas[0].steps[:])
        only = lambda *states, **more: [s.id for s in self.pages(2, definition="listed", states=list(map(state, states)), **more)]
        self.assertEqual(live[::-1], only("RUNNING"))
        self.assertEqual(ended[6::-1], only("COMMITTED"))
        self.assertEqual(ended[:6:-1], only("COMPENSATED"))
        self.assertEqual(newest_first, only("COMMITTED", "COMPENSATED", "RUNNING"))
        self.assertEqual([], only("STUCK"))
        self.assertEqual(newest_first[:9], [s.id for s in self.pages(4, definition="listed", started_from=middle)])
        self.assertEqual(newest_first[9:], [s.id for s in self.pages(4, definition="listed", started_before=middle)])
        self.assertEqual([], self.pages(5, definition="nothing"))
        gate.open()
        for saga_id in live:
            self.client.end(saga_id)

    # ---- definitions ----

    def test_definitions(self):
        text = definition("versions", step("a"), step("b", after=["a"]))
        first = self.client.register(text)
        self.assertEqual(("versions", "1.0.0", False), (first.name, first.version, first.already_registered))
        self.assertTrue(self.client.register(text).already_registered)
        for version in ("1.10.0", "1.9.0", "2.0.0-rc.1"):
            self.client.register(definition("versions", step("a"), version=version))
        self.assertEqual("1.10.0", self.client.GetDefinition(name="versions").version)  # no pre-release unless asked for
        got = self.client.GetDefinition(name="versions", version="1.0.0")
        self.assertEqual((text.encode(), ["a", "b"]), (got.source, list(got.steps)))
        self.assertAlmostEqual(time.time(), got.registered_at.seconds, delta=60)
        listed, token = [], ""
        while True:
            page = self.client.ListDefinitions(page_size=2, page_token=token)
            listed += [(d.name, d.version) for d in page.definitions]
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(["1.0.0", "1.9.0", "1.10.0", "2.0.0-rc.1"], [v for n, v in listed if n == "versions"])
        self.assertEqual(sorted(listed, key=lambda d: d[0]), listed)
        self.assertEqual("1.9.0", self.client.run("versions", version="1.9.0").version)

    def test_dry_run(self):
        text = definition("dry", step("a")).encode()
        answer = self.client.RegisterDefinition(source=text, dry_run=True)
        self.assertEqual(("dry", "1.0.0"), (answer.name, answer.version))
        self.refused("NOT_FOUND", "DEFINITION_NOT_FOUND", self.client.GetDefinition, name="dry")
        for dry_run in (True, False):
            failure = self.refused("INVALID_ARGUMENT", "TARGET_NOT_FOUND", self.client.RegisterDefinition, dry_run=dry_run,
                                   source=text.replace(b"target: shop", b"target: shpo"), field="steps[0].target")
            self.assertRegex(failure.text, r'^4:23: steps\[0\]\.target: .*no target "shpo"; did you mean shop\?')

    def test_definitions_dir(self):
        with tempfile.TemporaryDirectory() as directory:
            def write(name, text):
                with open(os.path.join(directory, name), "w") as f:
                    f.write(text)
            write("one.yaml", definition("one", step("a")))
            write("two.yml", definition("two", step("a")))
            write("README", "not a definition")
            sidecar = Sidecar(definitions_dir=directory, targets={"shop": self.shop.address})
            try:
                self.assertEqual(["one", "two"], [d.name for d in sidecar.client.ListDefinitions().definitions])
                self.assertState("COMMITTED", sidecar.client.run("one"))
                write("one-more.yaml", definition("one", step("a"), step("b", after=["a"]), version="1.1.0"))
                sidecar.restart()
                self.assertEqual("1.1.0", sidecar.client.run("one").version)
                sidecar.stop()
                write("two.yml", definition("two", step("b")))
                code, text = sidecar.refuse()
                self.assertNotEqual(0, code)
                self.assertRegex(text, r"two\.yml.*raise the version")
                write("two.yml", "name: two\nversion: 1.2\nsteps: []\n")
                code, text = sidecar.refuse()
                self.assertNotEqual(0, code)
                self.assertRegex(text, r"two\.yml:2:\d+: version")
                os.unlink(os.path.join(directory, "two.yml"))
                sidecar.start()
            finally:
                sidecar.close()

    def test_definitions_outlive_kill(self):
        sidecar = Sidecar(targets={"shop": self.shop.address})
        try:
            sidecar.client.register(definition("kept", step("a")))
            before = sidecar.client.GetDefinition(name="kept")
            sidecar.restart("kill")
            self.assertEqual(before, sidecar.client.GetDefinition(name="kept"))
            self.assertState("COMMITTED", sidecar.client.run("kept"))
        finally:
            sidecar.close()
