"""Several sidecars of one fleet: whose journal goes on where when its sidecar is gone, and who answers meanwhile."""
import signal
import socket
import time
import unittest

import grpc

from harness import Gate, Participant, Sidecar, definition, do, failure_of, migrate, state_name, step, wait_until
from postgres import Postgres

Code = grpc.StatusCode


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Takeover(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Postgres().start()
        migrate(cls.server)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def setUp(self):
        self.shop = Participant()
        self.sidecars = []
        self.fleet = self.id().rsplit(".", 1)[1][:60]

    def tearDown(self):
        for sidecar in self.sidecars:
            sidecar.close()
        self.shop.stop()

    def sidecar(self, name, start=True, **options):
        options = dict({"store": self.server.uri, "store_journal": self.fleet + "-" + name, "store_lease": "3s", "store_timeout": "1s",
                        "fleet": self.fleet, "shutdown_grace": "1s", "targets": {"shop": self.shop.address}}, **options)
        if "fleet_address" not in options:
            port = free_port()
            options.update(listen=["127.0.0.1:%d" % port], fleet_address="127.0.0.1:%d" % port)
        sidecar = Sidecar(start=start, **options)
        self.sidecars.append(sidecar)
        return sidecar

    def live(self, sidecar, count):
        """So many sagas that wait in their first step; returns their ids and the gate."""
        gate = Gate()
        self.shop.on(do("a"), gate)
        sidecar.client.register(definition("two", step("a", more="timeout: 20s"), step("b", after=["a"])))
        ids = [sidecar.client.Start(definition="two", request_id="%s-%d" % (self.fleet, i)).saga_id for i in range(count)]
        wait_until(lambda: len(self.shop.calls) >= min(count, 40), "they wait in their first step")
        return ids, gate

    def taken_by(self, sidecar, name):
        return wait_until(lambda: [l for l in sidecar.log("a journal is taken over: its sagas go on here")
                                   if l.get("journal") == self.fleet + "-" + name], "the journal is taken over")

    def all_end(self, sidecar, ids):
        for saga_id in ids:
            self.assertEqual("COMMITTED", state_name(sidecar.client.end(saga_id)))
            self.assertEqual(1, len(self.shop.of(saga_id, "action", "b")))

    def test_a_dead_sidecars_sagas_go_on_beside_anothers_own(self):
        a, b = self.sidecar("a"), self.sidecar("b")
        ids, gate = self.live(a, 20)
        a.kill()
        began = time.monotonic()
        self.taken_by(b, "a")
        self.assertLess(time.monotonic() - began, 3 + 3)
        b.client.register(definition("own", step("c")))
        own = b.client.Start(definition="own").saga_id
        gate.open()
        self.all_end(b, ids)
        self.assertEqual("COMMITTED", state_name(b.client.end(own)))
        b.stop()

    def test_one_that_stops_hands_over_at_once_and_has_it_back(self):
        a, b = self.sidecar("a", store_lease="60s"), self.sidecar("b", store_lease="60s")
        ids, gate = self.live(a, 10)
        a.stop()
        began = time.monotonic()
        self.taken_by(b, "a")
        self.assertLess(time.monotonic() - began, 5)
        a.start()
        self.assertTrue(b.logged("a journal that was taken over is given up"))
        gate.open()
        self.all_end(a, ids)
        self.assertEqual("COMMITTED", state_name(a.client.run("two")))

    # ---- any sidecar answers for any saga ----

    def test_any_sidecar_answers_for_any_saga(self):
        a, b, c = self.sidecar("a"), self.sidecar("b"), self.sidecar("c", fleet_takeovers_max=0)
        ids, gate = self.live(a, 3)
        self.assertEqual("RUNNING", state_name(b.client.saga(ids[0])))
        b.client.Cancel(saga_id=ids[2])
        watched = b.client.Watch(saga_id=ids[0], timeout=30)
        gate.open()
        self.assertEqual("COMMITTED", state_name(b.client.end(ids[0])))
        self.assertEqual("COMPENSATED", state_name(c.client.end(ids[2])))
        types = [e.type for response in watched for e in response.events]
        self.assertEqual(len(types), len(set(types)) + 2)  # two attempts, and two that went well
        # A start that is repeated elsewhere finds its saga, also when that has ended.
        again = b.client.Start(definition="two", request_id=self.fleet + "-0")
        self.assertEqual((ids[0], True), (again.saga_id, again.already_started))
        self.assertEqual(ids[1], c.client.Find(request_id=self.fleet + "-1").saga_id)
        a.kill()
        def answered():
            try:
                return state_name(c.client.saga(ids[1]))
            except grpc.RpcError as error:
                failure = failure_of(error)
                self.assertEqual(("UNAVAILABLE", "SAGA_AWAY"), (failure.code, failure.reason), failure)
                self.assertGreater(failure.retry_delay_ms, 0)
        self.assertEqual("COMMITTED", wait_until(answered, "somebody answers for a saga of the dead one"))
        with self.assertRaises(grpc.RpcError) as raised:
            c.client.saga("0" * 24)
        self.assertIn(failure_of(raised.exception).reason, ("SAGA_NOT_FOUND", "INVALID_ARGUMENT"))
