"""What sagactl makes of answers that a real sidecar seldom gives, or never."""
import itertools
import re
import shlex
import subprocess
import threading
import time
import unittest

from harness import PATIENCE_S, enum, message, state
from impostor import Impostor
from test_sagactl import Code, SAGACTL, REFUSED, UNREACHABLE, TIMEOUT, environment, ctl


class LyingSidecar(unittest.TestCase):
    def impostor(self, **answers):
        i = Impostor(**answers)
        self.addCleanup(i.close)
        return i

    def test_one_that_stops_is_not_stormed(self):
        lost = message("saga.v1.StartResponse")(saga_id="9f03c1d2a4b7-2a")
        impostor = self.impostor(Wait=Code.UNAVAILABLE, Watch=Code.UNAVAILABLE, Start=lambda request: lost)
        for arguments in (("wait", "9f03c1d2a4b7-2a"), ("watch",), ("watch", "9f03c1d2a4b7-2a"), ("start", "order", "--wait")):
            del impostor.calls[:]
            began = time.monotonic()
            ran = ctl("-a", impostor.address, "--timeout", "1500ms", *arguments)
            self.assertEqual(TIMEOUT, ran.code, ran)
            self.assertLess(time.monotonic() - began, 15)
            # Delays of 20, 40, ... 320 ms and then 500 ms, each at most halved by the jitter.
            self.assertLessEqual(len(impostor.calls), 14, ran)
            self.assertGreaterEqual(len(impostor.calls), 4, ran)

    def test_pages_without_an_end(self):
        pages = itertools.count()
        impostor = self.impostor(
            List=lambda request: message("saga.v1.ListResponse")(next_page_token="t%d" % next(pages)),
            ListDeadLetters=lambda request: message("saga.v1.ListDeadLettersResponse")(next_page_token="t%d" % next(pages)),
            ListDefinitions=lambda request: message("saga.v1.ListDefinitionsResponse")(next_page_token="t%d" % next(pages)))
        for arguments in (("list",), ("list", "--all"), ("deadletters", "-A"), ("definitions",)):
            began = time.monotonic()
            ran = ctl("-a", impostor.address, "--timeout", "1s", *arguments)
            self.assertIn(ran.code, (TIMEOUT, UNREACHABLE), ran)
            self.assertLess(time.monotonic() - began, 15)

    def test_a_definition_cannot_steer_a_terminal(self):
        source = b"name: a\r\n# \x1b[2J \xc2\x9b2J \x07 \x7f \rhidden gr\xc3\xbcn\ttab\n"
        impostor = self.impostor(GetDefinition=lambda request: message("saga.v1.Definition")(name="a", source=source))
        process = subprocess.run([SAGACTL, "-a", impostor.address, "definitions", "a"], stdout=subprocess.PIPE, env=environment())
        self.assertEqual(b"name: a\r\n# ?[2J \xc2\xbf2J ? ? ?hidden gr\xc3\xbcn\ttab\n", process.stdout)

    def test_what_may_have_been_carried_out_can_be_asked_for_again(self):
        over = threading.Event()

        def lose(request):
            threading.Thread(target=impostor.close).start()
            over.wait(PATIENCE_S)
            raise RuntimeError
        impostor = self.impostor(Start=lose)
        self.addCleanup(over.set)
        ran = ctl("-a", impostor.address, "start", "order", "--timeout", "2s")
        self.assertIn(ran.code, (UNREACHABLE, TIMEOUT), ran)
        self.assertRegex(ran.err, r"(may have been|may still be) carried out|no answer came in time")
        self.assertRegex(ran.err, r"--request-id [0-9a-f-]{36} it is the same saga")


class MadeUp(unittest.TestCase):
    """What commands make of answers that a real sidecar seldom gives: of several loops that differ, of counts after a restart, of acts that fail."""

    def ask(self, *arguments, **answers):
        impostor = Impostor(**{name: answer if callable(answer) else lambda request, answer=answer: answer for name, answer in answers.items()})
        try:
            return ctl("-a", impostor.address, *arguments)
        finally:
            impostor.close()

    @staticmethod
    def ago(s):
        t = message("google.protobuf.Timestamp")()
        t.FromMilliseconds(int((time.time() - s) * 1000))
        return t

    def status(self, *loops):
        return message("saga.v1.StatusResponse")(loops=[message("saga.v1.LoopStatus")(version="1.2.3", **loop) for loop in loops])

    def test_status_is_of_all_loops(self):
        serving = message("grpc.health.v1.HealthCheckResponse")(status=1)
        target = lambda **more: message("saga.v1.TargetStatus")(name="shop", address="1.2.3.4:5", calls_max=10, **more)
        loops = [dict(live=5, stuck=1, paused=1, compensating=2, oldest_live=self.ago(400), journal_bytes=1 << 20, volume_free_bytes=3 << 20, journal_since=self.ago(7300),
                      targets=[target(calls=1, waiting=2)]),
                 dict(live=7, stuck=2, paused=3, compensating=1, oldest_live=self.ago(40), journal_bytes=2 << 20, volume_free_bytes=9 << 20, journal_since=self.ago(100),
                      targets=[target(calls=3, waiting=4)])]
        for said in (loops, loops[::-1]):
            ran = self.ask("status", Check=serving, Status=self.status(*said))
            self.assertEqual(0, ran.code, ran)
            for words in (r"2 loops\n +6 running\n +3 compensating\n +3 stuck", r"\n +4 paused", r"The oldest of them was started 6m 4\ds ago",
                          r"journal 3\.0MiB, reaching back 2h 1m, 3\.0MiB free", r"shop at 1\.2\.3\.4:5: 4 of 20 calls in flight, 6 wait\n"):
                self.assertRegex(ran.out, words)
        ran = self.ask("status", Check=message("grpc.health.v1.HealthCheckResponse")(status=2), Status=self.status(dict(loops[0], journal_full=True), loops[1]))
        self.assertRegex(ran.out, r"is NOT_SERVING: (.|\n)*free on its volume: new sagas are refused")

    def test_rates_after_a_restart_are_none(self):
        started = iter((1000, 5))
        ran = self.ask("-o", "json", "top", "--once", Status=lambda request: self.status(dict(sagas_started=next(started), sagas_ended=7)))
        self.assertEqual(0, ran.code, ran)
        self.assertEqual({0}, set(ran.json()["per_second"].values()), ran)

    def test_rates_are_of_what_became_more(self):
        """How long it took between the two looks is the world's; but each is of the same time."""
        fields = ("started", "ended", "turned_back", "became_stuck")
        looks = iter([{"sagas_" + f: 1000 * k for k, f in enumerate(fields, 1)} | dict(attempts=5, attempts_failed=7),
                      {"sagas_" + f: 1000 * k + 100 * k for k, f in enumerate(fields, 1)} | dict(attempts=505, attempts_failed=607)])
        ran = self.ask("-o", "json", "top", "--once", Status=lambda request: self.status(next(looks)))
        rates = ran.json()["per_second"]
        self.assertGreater(101, rates["started"])
        for k, name in enumerate((*fields, "attempts", "attempts_failed"), 1):
            self.assertAlmostEqual(k, rates[name] / rates["started"], 6, ran)

    def test_what_is_left_of_a_promise_is_of_its_own_window(self):
        window = lambda bad: message("saga.v1.ObjectiveWindow")(all=100, bad=bad)
        objective = message("saga.v1.Objective")(definition="paid", kind=1, promised=0.9, windows=[window(b) for b in (1, 2, 3, 4, 5, 6, 7, 8)])
        ran = self.ask("slo", ListObjectives=message("saga.v1.ListObjectivesResponse")(objectives=[objective, objective]))
        self.assertEqual(0, ran.code, ran)
        self.assertRegex(ran.out, r"(?m)^paid +success +90% +200 +16 +20\.0% +0\.1 +0\.3 +0\.5 +0\.7$")

    def test_a_job_that_failed_in_a_loop_has_failed(self):
        job = lambda state, **more: message("saga.v1.BulkJob")(id="x", act=1, where="true", actor="anna", per_second=10, state=state, started_at=self.ago(60), ended_at=self.ago(30),
                                                               examined=5, acted=2, refused=1, **more)
        done, failed = job(3), job(5, error="no such field")
        for jobs, code, words in (([done, done], 0, "DONE"), ([done, failed], REFUSED, "FAILED"), ([failed, done], REFUSED, "FAILED")):
            said = message("saga.v1.ListBulksResponse")(jobs=jobs)
            for form in ((), ("-o", "json")):
                self.assertEqual(code, self.ask(*form, "bulk", "x", "--wait", ListBulks=said).code)
            ran = self.ask("bulk", "x", ListBulks=said)
            self.assertRegex(ran.out, r"^x  retry  %s, by anna, took (29|3\d)s\n" % words)
            self.assertIn("10 looked at, 4 done, 2 refused; at most 10 a second\n", ran.out)
            self.assertEqual(failed in jobs, "no such field" in ran.out, ran)

    def test_one_that_was_refused_among_many_is_not_forgotten(self):
        letters = message("saga.v1.ListDeadLettersResponse")(sagas=[message("saga.v1.Saga")(id="9f03c1d2a4b7-%d" % i) for i in range(3)])
        for refused in range(3):
            answer = lambda request: Code.FAILED_PRECONDITION if message("saga.v1.RetryRequest").FromString(request).saga_id.endswith(str(refused)) else message("saga.v1.RetryResponse")()
            ran = self.ask("retry", "--all", ListDeadLetters=letters, Retry=answer)
            self.assertEqual((REFUSED, "2 of 3 dead letters tried again\n"), (ran.code, ran.out), ran)
        ran = self.ask("retry", "--all", ListDeadLetters=letters, Retry=message("saga.v1.RetryResponse")())
        self.assertEqual((0, "3 of 3 dead letters tried again\n"), (ran.code, ran.out), ran)

    def test_why_tells_since_when_a_step_waits_for_what_it_waits_for(self):
        """An undo that has not been tried waits since the one before it ended, and not since its action was done."""
        action, undone = lambda name: {"action": enum("ActionState", "ACTION_STATE_" + name)}, lambda name: {"compensation": enum("CompensationState", "COMPENSATION_STATE_" + name)}
        event = lambda s, type, step: message("saga.v1.Event")(at=self.ago(s), type=enum("EventType", "EVENT_TYPE_" + type), step=step)
        steps = lambda tries: [message("saga.v1.Step")(name="reserve", target="shop", waiting_for="its target", compensation_attempts=tries, **action("DONE"), **undone("OWED" if tries == 0 else "STARTED")),
                               message("saga.v1.Step")(name="charge", target="shop", **action("DONE"), **undone("DONE"))]
        timeline = [event(5000, "ACTION_ENDED", "reserve"), event(4000, "TURNED_BACK", "charge"), event(300, "COMPENSATION_ENDED", "charge")]
        for tries, more, since in ((0, [], "5m"), (1, [event(200, "COMPENSATION_ATTEMPT_FAILED", "reserve")], r"3m 2\ds")):
            saga = message("saga.v1.Saga")(id="9f03c1d2a4b7-2a", definition="order", version="1.0.0", state=state("COMPENSATING"), steps=steps(tries), started_at=self.ago(6000))
            ran = self.ask("why", saga.id, Get=message("saga.v1.GetResponse")(saga=saga, timeline=timeline + more), Status=self.status({}))
            self.assertEqual(0, ran.code, ran)
            self.assertRegex(ran.out, r"waits for +its target, since %s( \ds)? ago" % since)

    def test_why_tells_of_the_journal_that_the_saga_is_in(self):
        """Of one loop its tag tells nothing; of several its low bits are the loop, whatever the order in which they are told."""
        step = message("saga.v1.Step")(name="reserve", target="shop", waiting_for="the answer of target shop")
        for tag, loops, told in (("9f03c1d2a4b7", [(0, True)], True), ("9f03c1d2a4b7", [(0, False)], False),
                                 ("9f03c1d2a481", [(0, True), (1, False)], False), ("9f03c1d2a481", [(1, True), (0, False)], True),
                                 ("9f03c1d2a480", [(0, True), (1, False)], True), ("9f03c1d2a480", [(0, False), (1, True)], False)):
            saga = message("saga.v1.Saga")(id=tag + "-2a", definition="order", version="1.0.0", state=state("RUNNING"), steps=[step], started_at=self.ago(60))
            said = self.status(*(dict(loop=loop, journal_full=stalled, journal_stalled=stalled) for loop, stalled in loops))
            ran = self.ask("why", saga.id, Get=message("saga.v1.GetResponse")(saga=saga), Status=said)
            self.assertEqual((0, told), (ran.code, "the sidecar's journal, which takes nothing now" in ran.out), (tag, loops, ran))

    def test_how_long_each_call_may_take(self):
        """Ten seconds, or as said; a start that is waited for has its own time, and waiting has no end unless said."""
        start, ended = message("saga.v1.StartResponse")(saga_id="9f03c1d2a4b7-2a"), message("saga.v1.WaitResponse")(saga=message("saga.v1.Saga")(state=state("COMMITTED")))
        impostor = Impostor(List=lambda request: message("saga.v1.ListResponse")(), Start=lambda request: start, Wait=lambda request: ended, Watch=lambda request: [],
                            Get=lambda request: message("saga.v1.GetResponse")(saga=ended.saga), Status=lambda request: message("saga.v1.StatusResponse")(loops=[{}]))
        self.addCleanup(impostor.close)
        for words, seconds in ((("list",), (10,)), (("list", "--timeout", "50s"), (50,)), (("list", "-t", "2m"), (120,)),
                               (("start", "order"), (10,)), (("start", "order", "--wait"), (10, None)), (("start", "order", "--wait", "-t", "50s"), (10, 50)),
                               (("start", "order", "-t", "50s"), (50,)), (("wait", "9f03c1d2a4b7-2a"), (None,)), (("wait", "9f03c1d2a4b7-2a", "-t", "50s"), (50,)),
                               (("watch", "9f03c1d2a4b7-2a"), (None,)), (("why", "9f03c1d2a4b7-2a", "-t", "50s"), (50, 50)), (("why", "9f03c1d2a4b7-2a"), (10, 10))):
            del impostor.left_s[:]
            ran = ctl("-a", impostor.address, *words)
            self.assertEqual(0, ran.code, ran)
            self.assertEqual(len(seconds), len(impostor.left_s), ran)
            for most, left in zip(seconds, impostor.left_s):
                if most is None:
                    # gRPC for Python says of a call without a deadline that it has years.
                    self.assertGreater(left or 1e9, 1e6, ran)
                else:
                    self.assertTrue(0 < left <= most + 0.1 and (most == 10 or left > 10.1), (words, impostor.left_s))

    def test_what_is_asked_is_what_was_typed(self):
        """Each option of a command arrives, and nothing that was not said."""
        saga, who = "9f03c1d2a4b7-2a", ("--actor", "ann")
        act = dict(saga_id=saga, actor="ann")
        for words, method, fields in (
                (("cancel", saga, *who, "-m", "why"), "Cancel", dict(act, reason="why")),
                (("pause", saga, *who, "-m", "why"), "Pause", dict(act, reason="why")),
                (("resume", saga, *who), "Resume", act),
                (("retry", saga, "pay", *who), "Retry", dict(act, step="pay")),
                (("skip", saga, "pay", *who, "-m", "why"), "Skip", dict(act, step="pay", reason="why")),
                (("reject", saga, "pay", *who, "-m", "why"), "Reject", dict(act, step="pay", reason="why")),
                (("resolve", saga, *who, "-m", "why"), "Resolve", dict(act, reason="why")),
                (("hold", "order", *who, "-m", "why"), "HoldDefinition", dict(definition="order", actor="ann", reason="why")),
                (("release", "order", *who), "HoldDefinition", dict(definition="order", actor="ann", release=True)),
                (("breaker", "hold", "shop", *who, "-m", "why"), "SetBreaker",
                 dict(target="shop", actor="ann", reason="why", act=enum("BreakerAct", "BREAKER_ACT_HOLD"))),
                (("forget", "price", "k", *who, "-m", "why"), "ForgetAnswer", dict(name="price", key="k", actor="ann", reason="why")),
                (("reload", *who), "Reload", dict(actor="ann")),
                (("bulk", "x", "pause", *who), "ChangeBulk", dict(id="x", actor="ann", state=enum("BulkState", "BULK_STATE_PAUSED"))),
                (("fleet", "give", "b", *who), "GiveJournal", dict(journal="b", actor="ann")),
                (("start", "order", "-r", "r1", "--version", "1.2.0", "--input-text", "in", "--deadline", "1500ms", "--priority", "high"), "Start",
                 dict(definition="order", request_id="r1", version="1.2.0", input=b"in", priority=enum("Priority", "PRIORITY_HIGH"),
                      deadline=message("google.protobuf.Duration")(seconds=1, nanos=500000000)))):
            asked = []
            answers = {method: lambda request, method=method: asked.append(request) or message("saga.v1.%sResponse" % method)()}
            ran = self.ask(*words, ListBulks=message("saga.v1.ListBulksResponse")(), **answers)
            self.assertEqual([message("saga.v1.%sRequest" % method)(**fields)], [message("saga.v1.%sRequest" % method).FromString(a) for a in asked], ran)
        asked = []
        self.ask("start", "order", Start=lambda request: asked.append(message("saga.v1.StartRequest").FromString(request)) or message("saga.v1.StartResponse")())
        self.assertRegex(asked[0].request_id, "^[0-9a-f-]{36}$")
        self.assertFalse(asked[0].HasField("deadline"))

    def test_who_is_sent_away_is_told_when_to_come_again(self):
        later = message("google.protobuf.Any")(type_url="type.googleapis.com/google.rpc.RetryInfo", value=message("google.rpc.RetryInfo")(
            retry_delay=message("google.protobuf.Duration")(seconds=89, nanos=999500000)).SerializeToString())
        ran = self.ask("cancel", "9f03c1d2a4b7-2a", Cancel=lambda request: (Code.RESOURCE_EXHAUSTED, message("google.rpc.Status")(code=8, details=[later])))
        self.assertEqual((REFUSED, "sagactl: so it is\nIt may work when tried again in 1m 30s.\n"), (ran.code, ran.err), ran)

    def test_dead_letters_of_every_page(self):
        letter = lambda n, step, status=14: message("saga.v1.Saga")(id="9f03c1d2a4b7-%d" % n, definition="order", stuck_step=step, steps=[
            message("saga.v1.Step")(name="other", last_status=3), message("saga.v1.Step")(name=step, last_status=status)])
        page = message("saga.v1.ListDeadLettersResponse")
        pages = {"": page(sagas=[letter(1, "pay"), letter(2, "ship")], next_page_token="p"), "p": page(sagas=[letter(3, "ship"), letter(4, "ship", 13)])}
        ask = lambda *words, **more: self.ask(*words, ListDeadLetters=lambda request: pages[message("saga.v1.ListDeadLettersRequest").FromString(request).page_token], **more)
        ran = ask("deadletters", "--summary")
        self.assertRegex(ran.out, r"^4 dead letters:\n +2  order, action of ship: UNAVAILABLE")
        self.assertIn("3 dead letters:", ask("deadletters", "--summary", "--step", "ship").out)
        self.assertIn("3 dead letters:", ask("deadletters", "--summary", "--status", "UNAVAILABLE").out)
        asked = []
        retry = lambda request: asked.append(message("saga.v1.RetryRequest").FromString(request)) or message("saga.v1.RetryResponse")()
        self.assertEqual("3 of 3 dead letters tried again\n", ask("retry", "--all", "--step", "ship", Retry=retry).out)
        self.assertEqual([("9f03c1d2a4b7-%d" % n, "ship") for n in (2, 3, 4)], [(a.saga_id, a.step) for a in asked])

    def test_a_page_that_leads_to_itself(self):
        for words, method in ((("list",), "List"), (("list", "--all"), "List"), (("deadletters",), "ListDeadLetters"), (("deadletters", "--summary"), "ListDeadLetters")):
            ran = self.ask("--timeout", "10s", *words, **{method: message("saga.v1.%sResponse" % method)(next_page_token="t")})
            self.assertEqual((REFUSED, "sagactl: the sidecar's token for the next page cannot be used\n"), (ran.code, ran.err), ran)
        ran = self.ask("--timeout", "10s", "fleet", ListJournals=message("saga.v1.ListJournalsResponse")(next="t"))
        self.assertEqual((REFUSED, "sagactl: the sidecar's token for the next page cannot be used\n"), (ran.code, ran.err), ran)

    def test_the_next_page_is_asked_for_as_this_one(self):
        """The command that is proposed holds every filter, quoted as a shell needs it."""
        for command, method, words in (
                ("list", "List", ("--state", "running,stuck,paused", "--since", "2026-05-01", "--before", "2026-05-04T10:20:30Z", "--tag", "city=New York=$HOME", "--definition", "order",
                                  "--where", "age > 1 && reason != 'a b'", "--journal", "shop 1", "--limit", "3")),
                ("list", "List", ("--tag", "a=b", "--state", "paused", "--fleet")),
                ("deadletters", "ListDeadLetters", ("--definition", "order", "--where", "step == 'a b'", "--fleet", "--limit", "3")),
                ("deadletters", "ListDeadLetters", ("--journal", "shop 1",))):
            asked = []
            page = message("saga.v1.%sResponse" % method)(sagas=[message("saga.v1.Saga")(id="9f03c1d2a4b7-2a", paused=True)], next_page_token="t u")
            answers = {method: lambda request: asked.append(message("saga.v1.%sRequest" % method).FromString(request)) or page}
            more = re.search(r"(?m)^more: sagactl (.*)$", self.ask(command, *words, **answers).out).group(1)
            again = shlex.split(more)
            at = again.index("--address")
            self.ask(*again[:at], *again[at + 2:], **answers)
            self.assertEqual(["", "t u"], [a.page_token for a in asked])
            if "--tag" in words:
                name, value = words[words.index("--tag") + 1].split("=", 1)
                self.assertEqual([(name, value)], [(t.name, t.value) for t in asked[0].tags])
            asked[0].page_token = "t u"
            self.assertEqual(asked[0], asked[1], more)

    def test_a_job_is_followed_in_its_own_journals(self):
        empty, goes_on = message("saga.v1.StartBulkResponse")(), message("saga.v1.ListBulksResponse")(jobs=[message("saga.v1.BulkJob")(id="x", state=1)])
        for whose in (), ("--fleet",), ("--journal", "shop 1"):
            ran = self.ask("deadletters", "retry", "--name", "x", "--where", "true", "--reason", "r", *whose, StartBulk=empty)
            for more in re.search(r": sagactl (.*?); to halt it: sagactl (.*)$", ran.out).groups():
                self.assertEqual(list(whose), [w for w in shlex.split(more)[2:] if w != "pause"], ran)
            ran = self.ask("bulk", "x", "--wait", "--timeout", "300ms", *whose, ListBulks=goes_on)
            self.assertEqual((TIMEOUT, ["bulk", "x", *whose]), (ran.code, shlex.split(ran.err.split("sagactl ")[1])), ran)

    def test_a_timeline_is_whole_when_its_first_page_is(self):
        event = lambda type: message("saga.v1.Event")(at=self.ago(9), type=enum("EventType", "EVENT_TYPE_" + type))
        saga = message("saga.v1.Saga")(id="9f03c1d2a4b7-2a", definition="order", state=state("RUNNING"), started_at=self.ago(9))
        for truncated in (False, True):
            pages = {"": message("saga.v1.GetResponse")(saga=saga, timeline=[event("PAUSED")], next_page_token="p", timeline_truncated=not truncated),
                     "p": message("saga.v1.GetResponse")(saga=saga, timeline=[event("RESUMED")], timeline_truncated=truncated)}
            ran = self.ask("-o", "json", "get", saga.id, Get=lambda request: pages[message("saga.v1.GetRequest").FromString(request).page_token])
            self.assertEqual((["RESUMED", "PAUSED"], truncated), ([e["type"].split("_")[-1] for e in ran.json()["timeline"]], ran.json().get("timeline_truncated", False)), ran)

    def test_status_of_loops_that_differ(self):
        serving = message("grpc.health.v1.HealthCheckResponse")(status=1)
        target = lambda **more: message("saga.v1.TargetStatus")(name="shop", address="1.2.3.4:5", calls_max=10, **more)
        limit = lambda live: message("saga.v1.DefinitionLimit")(definition="checkout", live=live, live_max=5, starts_per_second=10)
        loops = [dict(volume_free_bytes=9 << 20, targets=[target(unreachable=True, unreachable_for=message("google.protobuf.Duration")(seconds=70))], definition_limits=[limit(2)]),
                 dict(volume_free_bytes=1 << 20, targets=[target()], definition_limits=[limit(4)])]
        for said in (loops, loops[::-1]):
            ran = self.ask("status", Check=serving, Status=self.status(*said))
            for words in (r"journal 0B, 1\.0MiB free", r"shop at 1\.2\.3\.4:5: cannot be reached for 1m 10s, 0 of 20 calls",
                          r"definition checkout: 6 of 10 live, at most 20 start in a second\n"):
                self.assertRegex(ran.out, words)

    def test_a_job_goes_on_as_long_as_one_loop_does(self):
        job = lambda loop, name: message("saga.v1.BulkJob")(id="x", act=1, where="true", actor="anna", per_second=10, loop=loop, state=enum("BulkState", "BULK_STATE_" + name),
                                                            started_at=self.ago(60))
        for names in (("DONE", "RUNNING"), ("RUNNING", "DONE")):
            said = message("saga.v1.ListBulksResponse")(jobs=[job(k, name) for k, name in enumerate(names)])
            ran = self.ask("bulk", ListBulks=said)
            self.assertEqual(1, len(re.findall(r"(?m)^x  retry  RUNNING, by anna, for ", ran.out)), ran)
            self.assertEqual(1, ran.out.count("by anna"), ran)
            ran = self.ask("bulk", "x", "--wait", "--timeout", "500ms", ListBulks=said)
            self.assertEqual((TIMEOUT, "sagactl: the job goes on: sagactl bulk x\n"), (ran.code, ran.err), ran)

    def test_a_job_that_failed_in_a_loop_has_failed_while_others_go_on(self):
        job = lambda name: message("saga.v1.BulkJob")(id="x", act=1, where="true", actor="anna", per_second=10, state=enum("BulkState", "BULK_STATE_" + name), started_at=self.ago(60))
        for names, told in ((("FAILED", "RUNNING"), "FAILED"), (("RUNNING", "FAILED"), "FAILED"), (("DONE", "FAILED", "RUNNING"), "FAILED"), (("CANCELLED", "PAUSED"), "PAUSED")):
            ran = self.ask("bulk", ListBulks=message("saga.v1.ListBulksResponse")(jobs=[job(name) for name in names]))
            self.assertIn("x  retry  %s, by anna" % told, ran.out)

    def test_what_was_done_is_told_as_it_is(self):
        """In words and as JSON."""
        saga, who = "9f03c1d2a4b7-2a", ("--actor", "ann", "-m", "why")
        for words, method, told in (
                (("hold", "order", *who), "HoldDefinition", {"definition": "order", "held": True}),
                (("release", "order", "--actor", "ann"), "HoldDefinition", {"definition": "order", "held": False}),
                (("breaker", "hold", "shop", *who), "SetBreaker", {"target": "shop", "breaker": "hold"}),
                (("forget", "price", "k", *who), "ForgetAnswer", {"name": "price", "forgotten": True}),
                (("fleet", "give", "b", "--actor", "ann"), "GiveJournal", {"given": "b"}),
                (("skip", saga, "pay", *who), "Skip", {"saga_id": saga, "command": "skip"})):
            ran = self.ask("-o", "json", *words, **{method: message("saga.v1.%sResponse" % method)()})
            self.assertEqual((0, told), (ran.code, ran.json()), ran)
        for taken, restart, lines in (([], [], ["nothing has changed"]), (["a"], [], ["taken: a"]), ([], ["b"], ["needs a restart: b"]), (["a"], ["b"], ["taken: a", "needs a restart: b"])):
            ran = self.ask("reload", "--actor", "ann", Reload=message("saga.v1.ReloadResponse")(taken=taken, needs_restart=restart))
            self.assertEqual((0, lines), (ran.code, ran.out.splitlines()), ran)

    def test_a_job_of_a_fleet_has_the_rates_of_its_journals(self):
        """Loops of a sidecar each say the whole rate, journals their share."""
        job = lambda loop, journal, rate: message("saga.v1.BulkJob")(id="x", act=1, where="true", actor="anna", per_second=rate, loop=loop, journal=journal, state=1, started_at=self.ago(60))
        alone = [job(k, "", 10) for k in range(3)]
        fleet = [job(k, name, rate) for name, rate in (("a", 4), ("b", 6)) for k in range(2)]
        for jobs, words in ((alone, "at most 10 a second\n"), (fleet, "at most 10 a second; in 2 journals\n"), (fleet[:2], "at most 4 a second; in 1 journal\n")):
            ran = self.ask("bulk", ListBulks=message("saga.v1.ListBulksResponse")(jobs=jobs))
            self.assertTrue(ran.out.endswith(words), ran)

    def test_acts_of_one_time_stay_on_one_page(self):
        entry = lambda s, method: message("saga.v1.AuditEntry")(time=self.at[s], method=method)
        self.at = {s: self.ago(s) for s in (10, 20, 30)}
        trail = message("saga.v1.ListAuditResponse")(entries=[entry(20, "Skip"), entry(30, "Pause"), entry(10, "Retry"), entry(20, "Reject")])
        for limit, names in ((1, ["Retry"]), (2, ["Retry", "Reject", "Skip"]), (3, ["Retry", "Reject", "Skip"]), (4, ["Retry", "Reject", "Skip", "Pause"])):
            ran = self.ask("audit", "--limit", str(limit), ListAudit=trail)
            said = [re.search("Skip|Pause|Retry|Reject", line).group() for line in ran.out.splitlines()]
            self.assertEqual(sorted(names), sorted(said), ran)
            self.assertEqual(("Retry", "Pause" if limit == 4 else said[-1]), (said[0], said[-1]), ran)

    def test_journals_of_every_page(self):
        journal = lambda name, **more: message("saga.v1.Journal")(name=name, **more)
        page = message("saga.v1.ListJournalsResponse")
        pages = {"": page(journals=[journal("a", carrier="a", form=4, program="1.2.3"), journal("b", orphan=True, tries=2), journal("c", orphan=True, tries=3)], next="c"),
                 "c": page(journals=[journal("d", carrier="a"), journal("e", carrier="a", wanted=True), journal("f")])}
        ran = self.ask("fleet", ListJournals=lambda request: pages[message("saga.v1.ListJournalsRequest").FromString(request).after])
        for name, words in (("a", "at home"), ("b", "orphan"), ("c", "to be given"), ("d", "taken over"), ("e", "goes home"), ("f", "given up")):
            self.assertRegex(ran.out, r"(?m)^%s +%s" % (name, words))
        head, first = ran.out.splitlines()[:2]
        self.assertEqual("4", first[:head.index("FORM") + 4].split()[-1], ran)
        self.assertTrue(first[head.index("SAGAD"):].startswith("1.2.3"), ran)

    def test_payloads_are_another_question(self):
        verdict = lambda payloads, name: message("saga.v1.Verdict")(method="Get", payloads=payloads, extent=enum("Extent", "EXTENT_" + name))
        for own, payloads, code in (("ALLOWED", "DENIED", 0), ("OWN", "DENIED", 0), ("DENIED", "ALLOWED", REFUSED), ("DENIED", "DENIED", REFUSED)):
            said = message("saga.v1.ExplainResponse")(identity="uid:1", has_rules=True, verdicts=[verdict(False, own), verdict(True, payloads)])
            self.assertEqual(code, self.ask("authz", "explain", "--method", "Get", Explain=said).code)
            self.assertEqual(0, self.ask("authz", "explain", Explain=said).code)

    def test_a_chain_that_was_changed(self):
        whole, changed = (message("saga.v1.JournalVerified")(loop=k, first_frame=1, last_frame=2, frames_chained=2, head="2:ab", finding=finding)
                          for k, finding in ((0, ""), (1, "frame 2 is damaged")))
        for journals, code in (([whole], 0), ([whole, changed], REFUSED), ([changed, whole], REFUSED)):
            for form in ((), ("-o", "json")):
                self.assertEqual(code, self.ask(*form, "verify", Verify=message("saga.v1.VerifyResponse")(journals=journals)).code)
