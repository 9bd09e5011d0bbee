"""The whole fleet asked at once: lists, dead letters, bulk jobs, and a journal by its name."""
import concurrent.futures
import json
import subprocess
import threading

import grpc

from harness import QUICK, definition, do, enum, fail, failure_of, message, state_name, step, undo, wait_until
from impostor import Impostor
from test_takeover import SAGACTL, Fleet

RETRY, RESOLVE = (enum("BulkAct", "BULK_ACT_" + n) for n in ("RETRY", "RESOLVE"))
DONE, RUNNING, PAUSED, CANCELLED = (enum("BulkState", "BULK_STATE_" + n) for n in ("DONE", "RUNNING", "PAUSED", "CANCELLED"))


class Asking(Fleet):
    def name(self, short):
        return self.fleet + "-" + short

    def ctl(self, sidecar, *args, code=0):
        ran = subprocess.run([SAGACTL, "-a", sidecar.address, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(code, ran.returncode, ran)
        return ran

    def pages(self, method, size, between=None, **fields):
        """All pages: (ids in their order, journals that were absent in any)."""
        ids, absent, token, at = [], set(), "", 0
        while True:
            page = method(page_size=size, page_token=token, fleet=True, **fields)
            ids += [s.id for s in page.sagas]
            absent |= {a.journal for a in page.absent}
            token = page.next_page_token
            if not token:
                return ids, absent
            at += 1
            if between is not None:
                between(at)

    def letters(self, *sidecars, count=3):
        """So many dead letters at each, in turn; the oldest first."""
        self.shop.on(do("b"), fail(grpc.StatusCode.NOT_FOUND))
        self.shop.on(undo("a"), fail(grpc.StatusCode.INTERNAL, "not now"))
        ids = []
        for sidecar in sidecars:
            sidecar.client.register(definition("odd", "name: a, target: shop, action: /shop.v1.Shop/a, compensation: {method: /shop.v1.Shop/una, "
                                               + QUICK % 1 + "}", step("b", after=["a"], more=QUICK % 1)))
        for _ in range(count):
            for sidecar in sidecars:
                ids.append(sidecar.client.Start(definition="odd").saga_id)
                sidecar.client.stuck(ids[-1])
        return ids

    def jobs(self, sidecar, name):
        answer = sidecar.client.operator.ListBulks(id=name, fleet=True)
        return {j.journal: j for j in answer.jobs}, {m.journal for m in answer.absent}

    def done(self, sidecar, name, journals):
        def over():
            jobs, absent = self.jobs(sidecar, name)
            return not absent and len(jobs) == journals and all(j.state == DONE for j in jobs.values()) and jobs
        return wait_until(over, "the job is done everywhere")


class Lists(Asking):
    def test_pages_of_all_in_order_also_over_a_takeover(self):
        a, b, c = (self.sidecar(name) for name in "abc")
        begun = []
        for i in range(10):
            for sidecar in (a, b, c):
                begun.append(sidecar.client.Begin(name="by-hand").saga_id)
        begun.reverse()
        for sidecar in (a, b, c):
            self.assertEqual((begun, set()), self.pages(sidecar.client.List, 100))
            self.assertEqual((begun, set()), self.pages(sidecar.client.List, 7))
        # In the midst of the pages the journals of two move, one because its sidecar is gone.
        def between(page):
            if page == 1:
                a.kill()
                wait_until(lambda: b.log("a journal is taken over: its sagas go on here") + c.log("a journal is taken over: its sagas go on here"), "it is taken over")
                wait_until(lambda: not b.client.List(fleet=True).absent, "all answer")
        ids, absent = self.pages(b.client.List, 4, between)
        self.assertEqual((begun, set()), (ids, absent))
        shown = self.ctl(b, "list", "--fleet", "--all", "--limit", "9", "-o", "json").stdout.splitlines()
        self.assertEqual(begun, [json.loads(line)["id"] for line in shown])


class Named(Asking):
    def test_one_journal_by_its_name(self):
        a, b = self.sidecar("a"), self.sidecar("b")
        ids = [a.client.Begin(name="by-hand").saga_id for _ in range(3)]
        other = b.client.Begin(name="by-hand").saga_id
        of = lambda sidecar, name: [s.id for s in sidecar.client.List(journal=self.name(name)).sagas]
        self.assertEqual(ids[::-1], of(b, "a"))
        self.assertEqual([other], of(a, "b"))
        self.assertEqual([other], of(b, "b"))
        for saga_id in ids:
            a.client.Abort(saga_id=saga_id)
            a.client.end(saga_id)
        for fields in (dict(journal="none"), dict(journal=self.name("a"), fleet=True), dict(journal="x" * 129)):
            with self.assertRaises(grpc.RpcError) as raised:
                b.client.List(**fields)
            self.assertEqual(("INVALID_ARGUMENT", "journal"), (failure_of(raised.exception).code, failure_of(raised.exception).field), fields)
        with self.assertRaises(grpc.RpcError) as raised:
            list(b.client.Watch(journal=self.name("a"), saga_id=ids[0], timeout=20))
        self.assertEqual("INVALID_ARGUMENT", failure_of(raised.exception).code)
        for token in ("17", "1=5,", "1=g", "1=" + "a" * 17, ",".join("%d=1" % i for i in range(1025))):
            with self.assertRaises(grpc.RpcError) as raised:
                b.client.List(fleet=True, page_token=token)
            self.assertEqual(("INVALID_ARGUMENT", "page_token"), (failure_of(raised.exception).code, failure_of(raised.exception).field), token)
        for size in (-1, 1001, 2001):
            with self.assertRaises(grpc.RpcError) as raised:
                b.client.List(fleet=True, page_size=size)
            self.assertEqual(("INVALID_ARGUMENT", "page_size"), (failure_of(raised.exception).code, failure_of(raised.exception).field), size)
        # What nobody has and nothing lives in is told; by its name it is taken over for a moment.
        a.stop()
        self.assertEqual([(self.name("a"), "no sidecar has it")], [(m.journal, m.why) for m in b.client.List(fleet=True).absent])
        self.assertEqual([], list(b.client.operator.ListDeadLetters(fleet=True).absent))
        def answered():
            try:
                return of(b, "a")
            except grpc.RpcError as error:
                self.assertEqual("SAGA_AWAY", failure_of(error).reason)
        self.assertEqual(ids[::-1], wait_until(answered, "it is taken over for a moment"))

    def test_a_journal_is_watched_wherever_it_goes(self):
        a, b = self.sidecar("a"), self.sidecar("b")
        first = a.client.Begin(name="by-hand").saga_id
        cursor = list(a.client.Get(saga_id=first).timeline)[-1].cursor
        def events(sidecar, cursor, enough):
            seen = []
            for response in sidecar.client.Watch(journal=self.name("a"), cursor=cursor, timeout=30):
                seen += response.events
                if enough(seen):
                    return seen
        second = a.client.Begin(name="by-hand").saga_id
        seen = events(b, cursor, lambda all: all[-1].saga_id == second)
        a.kill()
        self.taken_by(b, "a")
        wait_until(lambda: not b.client.List(fleet=True).absent, "it is served")
        b.client.Abort(saga_id=second)
        seen = events(b, seen[-1].cursor, lambda all: all[-1].type == enum("EventType", "EVENT_TYPE_ENDED"))
        self.assertEqual({second}, {e.saga_id for e in seen})

    def test_without_a_fleet_nobody_is_asked(self):
        alone = self.sidecar("alone", fleet="", fleet_address="")
        for ask in (lambda: alone.client.List(fleet=True), lambda: alone.client.operator.ListBulks(journal="x")):
            with self.assertRaises(grpc.RpcError) as raised:
                ask()
            self.assertEqual("NO_FLEET", failure_of(raised.exception).reason)


class Bulks(Asking):
    def test_dead_letters_of_all_and_a_job_for_them(self):
        a, b, c = (self.sidecar(name) for name in "abc")
        ids = self.letters(a, b, c)
        self.assertEqual((ids, set()), self.pages(c.client.operator.ListDeadLetters, 2))
        self.assertIn("9 dead letters:", self.ctl(a, "deadletters", "--fleet", "--summary").stdout)
        self.assertIn("3 dead letters:", self.ctl(a, "deadletters", "--journal", self.name("b"), "--summary").stdout)
        self.shop.on(undo("a"), lambda call: b"")
        said = self.ctl(b, "deadletters", "retry", "--fleet", "--where", "true", "--name", "all", "--rate", "300/s", "--wait").stdout
        self.assertRegex(said, r"all  retry  DONE.*\n    where true\n    \d+ looked at, 9 done, 0 refused; at most 300 a second; in 3 journals\n")
        for saga_id in ids:
            self.assertEqual("COMPENSATED", state_name(c.client.end(saga_id)))
        # The same again begins it where it was not yet.
        d = self.sidecar("d")
        same = dict(id="all", act=RETRY, where="true", actor="me", fleet=True)
        answer = a.client.operator.StartBulk(**same)
        self.assertEqual((4, False, []), (answer.journals, answer.already_started, list(answer.absent)))
        answer = d.client.operator.StartBulk(**same)
        self.assertEqual((4, True), (answer.journals, answer.already_started))
        self.assertEqual({self.name(n) for n in "abcd"}, set(self.done(d, "all", 4)))
        with self.assertRaises(grpc.RpcError) as raised:
            d.client.operator.StartBulk(**dict(same, act=RESOLVE, reason="x"))
        self.assertEqual("BULK_EXISTS", failure_of(raised.exception).reason)
        with self.assertRaises(grpc.RpcError) as raised:
            d.client.operator.StartBulk(**dict(same, id="other", where="no such thing"))
        self.assertEqual("INVALID_ARGUMENT", failure_of(raised.exception).code)
        for rate in (-1, 10001):
            with self.assertRaises(grpc.RpcError) as raised:
                d.client.operator.StartBulk(**dict(same, id="other", per_second=rate))
            self.assertEqual(("INVALID_ARGUMENT", "per_second"), (failure_of(raised.exception).code, failure_of(raised.exception).field))
        with self.assertRaises(grpc.RpcError) as raised:
            d.client.operator.ChangeBulk(id="none", state=PAUSED, actor="me", fleet=True)
        self.assertEqual("BULK_NOT_FOUND", failure_of(raised.exception).reason)

    def test_a_job_outlives_one_of_its_sidecars(self):
        a, b = self.sidecar("a"), self.sidecar("b")
        ids = self.letters(a, b, count=2)
        b.client.operator.StartBulk(id="slow", act=RESOLVE, where="true", actor="me", reason="by hand", fleet=True, per_second=0.02)
        b.client.operator.ChangeBulk(id="slow", state=PAUSED, actor="me", fleet=True)
        self.assertEqual({PAUSED}, {j.state for j in self.jobs(b, "slow")[0].values()})
        a.kill()
        self.taken_by(b, "a")
        wait_until(lambda: not self.jobs(b, "slow")[1], "all answer again")
        self.assertEqual({PAUSED}, {j.state for j in self.jobs(b, "slow")[0].values()})
        self.assertEqual(2, b.client.operator.ChangeBulk(id="slow", state=CANCELLED, actor="me", fleet=True).journals)
        self.assertEqual({CANCELLED}, {j.state for j in self.jobs(b, "slow")[0].values()})
        b.client.operator.StartBulk(id="quick", act=RESOLVE, where="true", actor="me", reason="by hand", fleet=True, per_second=1000)
        jobs = self.done(b, "quick", 2)
        resolved = [state_name(b.client.saga(saga_id)) for saga_id in ids]
        self.assertEqual(["RESOLVED"] * 4, resolved)
        self.assertLessEqual(sum(j.acted for j in jobs.values()), 4)


class Missing(Asking):
    def test_who_does_not_answer_is_named(self):
        a, b, c = self.sidecar("a"), self.sidecar("b", fleet_takeovers_max=0), self.sidecar("c", fleet_takeovers_max=0)
        ids = {name: sidecar.client.Begin(name="by-hand").saga_id for name, sidecar in (("a", a), ("b", b), ("c", c))}
        self.assertEqual(set(ids.values()), set(self.pages(b.client.List, 2)[0]))
        self.ctl(b, "list", "--fleet")
        wait_until(lambda: {j.name: j.live for j in b.client.operator.ListJournals().journals}[self.name("a")] == 1, "its row tells of its saga")
        a.kill()
        page = b.client.List(fleet=True)
        self.assertEqual({ids["b"], ids["c"]}, {s.id for s in page.sagas})
        self.assertEqual([(self.name("a"), 14, "")], [(m.journal, m.status, page.next_page_token) for m in page.absent])
        wait_until(lambda: b.client.List(fleet=True).absent[0].why == "the sidecar that has it is gone, or tells no fleet_address", "its lease is over")
        said = self.ctl(b, "list", "--fleet", code=6)
        self.assertIn("not in this: the journal " + self.name("a"), said.stderr)
        self.assertIn(ids["b"], said.stdout)
        self.assertNotIn(ids["a"], said.stdout)
        self.assertIn(self.name("a"), self.ctl(b, "deadletters", "--fleet", "-o", "json", code=6).stdout)
        a.start()
        wait_until(lambda: not b.client.List(fleet=True).absent, "it is back")
        self.assertEqual(set(ids.values()), set(self.pages(b.client.List, 1)[0]))

    def test_one_that_answers_nonsense_is_named(self):
        """Whatever stands at the address that a journal's row has."""
        b = self.sidecar("b", fleet_takeovers_max=0)
        mine = b.client.Begin(name="by-hand").saga_id
        Saga, time = message("saga.v1.Saga"), {"seconds": 1}
        odd = {"started": [Saga(id=mine)], "id": [Saga(id="no id", started_at=time)], "token": [Saga(id=mine, started_at=time)]}
        for name, sagas in odd.items():
            liar = Impostor(List=lambda request: message("saga.v1.ListResponse")(sagas=sagas, next_page_token="1=2," if name == "token" else ""))
            self.addCleanup(liar.close)
            self.sidecar(name, fleet_address=liar.address)
            page = b.client.List(fleet=True, page_size=1)
            self.assertEqual([(self.name(name), "what it answers is no answer")], [(m.journal, m.why) for m in page.absent if m.journal == self.name(name)])
            self.assertEqual([mine], [s.id for s in page.sagas])
            self.assertEqual(["List"], liar.calls)

    def test_where_it_could_not_begin_is_said(self):
        a, b = self.sidecar("a"), self.sidecar("b", fleet_takeovers_max=0)
        self.letters(a, b, count=1)
        a.kill()
        said = self.ctl(b, "deadletters", "resolve", "--fleet", "--where", "true", "--name", "x", "--reason", "y", code=6)
        self.assertIn("the journal " + self.name("a"), said.stderr)
        a.start()
        wait_until(lambda: b.client.operator.StartBulk(id="x", act=RESOLVE, where="true", reason="y", actor="me", fleet=True).journals == 2, "it begins there, too")
        self.done(b, "x", 2)


class Bounds(Asking):
    """What one request about the whole fleet may ask for, and how many of them at once; each bound is reached, and crossed by one."""

    def rows(self, prefix, count, address="", held=True):
        """So many journals that others have, at this address; or that were given up empty."""
        self.server.query("insert into saga_journal(name, holder, taker, pid, epoch, seq, expires_at, first_frame, last_frame, oldest_live, serial_max, "
                          "audit_last, fleet, carrier, address, live) select '{0}' || n, '{1}', '', 0, 1, 1, clock_timestamp() + interval '{2} minutes', "
                          "0, 0, 0, 0, 0, '{3}', case when '{1}' = '' then '' else '{0}' || n end, '{4}', {5} from generate_series(1, {6}) n"
                          .format(self.name(prefix), "x" if held else "", 30 if held else 0, self.fleet, address, 1 if held else 0, count))

    def test_a_thousand_journals(self):
        b = self.sidecar("b")
        mine = b.client.Begin(name="by-hand").saga_id
        self.rows("left", 1023, held=False)
        page = b.client.List(fleet=True)
        self.assertEqual(([mine], 1023, {"no sidecar has it"}), ([s.id for s in page.sagas], len(page.absent), {m.why for m in page.absent}))
        self.assertEqual(0, len(b.client.operator.ListDeadLetters(fleet=True).absent))
        self.rows("more", 1, held=False)
        with self.assertRaises(grpc.RpcError) as raised:
            b.client.List(fleet=True)
        self.assertEqual(("INVALID_ARGUMENT", "fleet"), (failure_of(raised.exception).code, failure_of(raised.exception).field))
        self.assertIn("more than 1024 journals", failure_of(raised.exception).text)

    def test_how_many_at_once_and_for_how_long(self):
        """32 journals are asked at once, and nobody waits for them for longer than ten seconds; a fifth such request is refused meanwhile."""
        over = threading.Event()

        def silent(request):
            over.wait(60)
            return message("saga.v1.ListResponse")()
        b, mute = self.sidecar("b"), Impostor(List=silent)
        self.addCleanup(mute.close)
        self.addCleanup(over.set)
        mine = b.client.Begin(name="by-hand").saga_id
        self.rows("mute", 40, mute.address)

        def ask(_):
            try:
                return b.client.List(fleet=True, timeout=60)
            except grpc.RpcError as error:
                return failure_of(error)
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            answers = list(pool.map(ask, range(5)))
        refused = [a for a in answers if not hasattr(a, "absent")]
        self.assertEqual([("RESOURCE_EXHAUSTED", "four requests to the whole fleet are under way here")], [(f.code, f.text) for f in refused], answers)
        for page in (a for a in answers if hasattr(a, "absent")):
            self.assertEqual([mine], [s.id for s in page.sagas])
            self.assertEqual((40, {4}), (len(page.absent), {m.status for m in page.absent}))
            self.assertEqual(8, sum(m.why == "the others took all the time that there is" for m in page.absent))

    def test_what_is_kept_of_answers(self):
        """16 MiB: who is beyond them is named, and the others are in the answer."""
        b = self.sidecar("b")
        mine = b.client.Begin(name="by-hand").saga_id
        large = message("saga.v1.ListResponse")(sagas=[message("saga.v1.Saga")(id="0123456789ab-1", definition="x" * 3000000, started_at={"seconds": 1})])
        great = Impostor(List=lambda request: large)
        self.addCleanup(great.close)
        self.rows("great", 6, great.address)
        page = b.client.List(fleet=True, page_size=1, timeout=60)
        self.assertEqual([mine], [s.id for s in page.sagas])
        self.assertEqual([(8, "what it has does not fit into this answer: ask for smaller pages, or for it alone")], [(m.status, m.why) for m in page.absent])
