"""Counters agree with the journal to the last one, after kill -9 too: within a life with what that life made durable, and those of objectives with everything."""
import threading
import time

import grpc

from harness import QUICK, Case, definition, do, fail, state, step, undo, wait_until
from test_watching import get, samples

Code = grpc.StatusCode
COMMITTED, COMPENSATED = state("COMMITTED"), state("COMPENSATED")


class Counting(Case):
    options = {"http_listen": "127.0.0.1:0", "objectives": {"mixed": {"success": 99}}}

    def numbers(self, name, *labels):
        """The sums of a metric by these labels."""
        found = {}
        for (metric, own), value in samples(get(self.sidecar, "/metrics")[2]).items():
            if metric == name:
                key = tuple(dict(own)[label] for label in labels)
                found[key] = found.get(key, 0) + value
        return found

    def sagas(self):
        found, token = [], ""
        while True:
            page = self.sidecar.client.List(definition="mixed", page_size=1000, page_token=token)
            found.extend(page.sagas)
            token = page.next_page_token
            if not token:
                return found

    def start_some(self, count, first, started):
        """Those that were answered, and whatever else the sidecar began before it died."""
        for i in range(first, first + count):
            try:
                self.sidecar.client.Start(definition="mixed", request_id="r%d" % i, input=b"bad" if i % 3 == 0 else b"good")
                started.append(i)
            except grpc.RpcError:
                return

    def test_after_a_crash(self):
        def book(call):
            if call.request == b"bad":
                raise fail(Code.FAILED_PRECONDITION, "no cover")(call)
            return b"done"
        self.shop.on(do("b"), book)
        self.sidecar.client.register(definition("mixed", step("a"), step("b", after=["a"], more=QUICK % 1)))
        for life in range(3):
            began = len(self.sagas())
            started = []
            clients = [threading.Thread(target=self.start_some, args=(100, life * 1000 + k * 100, started)) for k in range(3)]
            for thread in clients:
                thread.start()
            wait_until(lambda: len(started) > 60, "sagas that begin")
            self.sidecar.kill()
            for thread in clients:
                thread.join()
            since = time.time()
            self.sidecar.start()
            self.start_some(30, life * 1000 + 500, [])
            wait_until(lambda: self.numbers("sagad_sagas_live") == {(): 0}, "the end of all sagas")
            sagas = self.sagas()
            self.assertGreater(len(sagas), began + 60)
            ended = [s for s in sagas if s.ended_at.seconds + s.ended_at.nanos / 1e9 >= since]
            self.assertGreaterEqual(len(ended), 30)
            by_state = {("COMMITTED",): sum(s.state == COMMITTED for s in ended), ("COMPENSATED",): sum(s.state == COMPENSATED for s in ended)}
            self.assertEqual({k: v for k, v in by_state.items() if v}, self.numbers("sagad_sagas_ended_total", "state"))
            self.assertEqual(sum(s.started_at.seconds + s.started_at.nanos / 1e9 >= since for s in sagas), sum(self.numbers("sagad_sagas_started_total", "definition").values()))
            # What objectives count goes on over all lives.
            self.assertEqual({("success",): len(sagas)}, self.numbers("sagad_slo_events_total", "objective"))

    def test_steps_and_the_oldest_that_is_stuck(self):
        client = self.sidecar.client
        client.register(definition("timed", step("fast", more="compensation: {method: /shop.v1.Shop/unfast, %s}" % (QUICK % 1), compensate=False), step("slow", after=["fast"], more=QUICK % 1)))

        def slow(call):
            time.sleep(0.3)
            if call.request == b"bad":
                raise fail(Code.FAILED_PRECONDITION, "no")(call)
            return b""
        self.shop.on(do("slow"), slow)
        began = time.monotonic()
        for _ in range(3):
            client.run("timed")
        took = time.monotonic() - began
        steps = lambda what: {k[1]: v for k, v in self.numbers("sagad_step_duration_seconds_" + what, "definition", "step").items() if k[0] == "timed"}
        self.assertEqual({"fast": 3, "slow": 3}, steps("count"))
        self.assertGreaterEqual(steps("sum")["slow"], 0.9)
        self.assertLess(steps("sum")["fast"] + steps("sum")["slow"], took)  # one after the other
        age = lambda: self.numbers("sagad_oldest_stuck_saga_age_seconds")[()]
        self.assertEqual(0, age())
        self.shop.on(do("slow"), fail(Code.FAILED_PRECONDITION, "no"))
        self.shop.on(undo("fast"), fail(Code.UNAVAILABLE, "away"))
        first = client.stuck(client.Start(definition="timed").saga_id)
        second = client.stuck(client.Start(definition="timed").saga_id)
        is_old = lambda saga: time.time() - saga.started_at.seconds - saga.started_at.nanos / 1e9

        def is_of(saga):
            least, told, most = is_old(saga), age(), is_old(saga)
            self.assertTrue(least - 2 <= told <= most + 2, (least, told, most))
        is_of(first)
        client.operator.Resolve(saga_id=first.id, actor="anna", reason="by hand")
        is_of(second)
        client.operator.Resolve(saga_id=second.id, actor="anna", reason="by hand")
        self.assertEqual(0, age())
