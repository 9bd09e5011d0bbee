"""Names of participants, with a name server of the tests' own: pods that come and go under load, and peers that are no gRPC servers."""
import socket
import threading
import time

from harness import Case, NameServer, Participant, Sidecar, definition, state_name, step, wait_until

LOADERS = 8


class Rude(threading.Thread):
    """Takes connections and closes each: at once, or after a line that is no HTTP/2."""

    def __init__(self, host, port, says):
        super().__init__()
        self.says, self.taken = says, 0
        self.listener = socket.create_server((host, port))
        self.start()

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                self.taken += 1
                try:
                    peer.sendall(self.says)
                except OSError:
                    pass

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.join()
        self.listener.close()


# The beginning of a server that does speak HTTP/2: its settings.
SETTINGS = b"\0\0\0\4\0\0\0\0\0"


class Names(Case):
    def setUp(self):
        super().setUp()
        self.names = NameServer()
        self.addCleanup(self.names.stop)
        self.pods = {}
        self.port = 0
        self.pod(2)

    def pod(self, last):
        pod = self.pods[last] = Participant("127.0.0.%d:%d" % (last, self.port))
        self.port = int(pod.address.rsplit(":", 1)[1])
        self.addCleanup(pod.stop)
        return pod

    def start(self, **options):
        address = "plaintext://dns://%s/pod.test:%d" % (self.names.address, self.port)
        sidecar = Sidecar(targets={"shop": {"address": address}}, **options)
        self.addCleanup(sidecar.close)
        sidecar.client.register(definition("one", step("a"), step("b", after=["a"])))
        return sidecar

    def load(self, sidecar):
        """Runs sagas until the function that it returns is called, which returns how all of them ended."""
        over, ends = threading.Event(), []

        def run():
            while not over.is_set():
                ends.append(state_name(sidecar.client.run("one")))
        threads = [threading.Thread(target=run) for _ in range(LOADERS)]
        for thread in threads:
            thread.start()

        def stop():
            over.set()
            for thread in threads:
                thread.join()
            return ends
        self.addCleanup(stop)
        return stop

    def share(self, last, among):
        """Whether the pod gets a fair part of the calls from now on."""
        before = {each: len(self.pods[each].calls) for each in among}
        wait_until(lambda: sum(len(self.pods[each].calls) - before[each] for each in among) > 100 * len(among), "there are calls")
        return len(self.pods[last].calls) - before[last] > 70

    def test_pods_come_and_go_under_load(self):
        """Each has its share within seconds of its coming, and no saga is undone for one's going."""
        self.pod(3)
        self.names.hosts = [2, 3]
        # A server of C core resets what arrives while it stops: CANCELLED says nothing of what was done, and is tried again where that is listed.
        sidecar = self.start(default_retry={"maxAttempts": 20, "initialBackoff": "20ms", "maxBackoff": "500ms",
                                            "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"]})
        stop = self.load(sidecar)
        wait_until(lambda: all(self.share(each, (2, 3)) for each in (2, 3)), "both are called")
        self.pod(4)
        self.names.hosts = [2, 3, 4]
        added = time.monotonic()
        wait_until(lambda: self.share(4, (2, 3, 4)), "the new one has its share")
        self.assertLess(time.monotonic() - added, 15)
        # One goes as Kubernetes takes it: out of the name first, and then it ends what it has.
        self.names.hosts = [3, 4]
        wait_until(lambda: not self.share(2, (2, 3, 4)), "the old one is called no more")
        self.pods[2].server.stop(2).wait()
        # One is replaced at once: its listener is gone before the name says so.
        self.pods[3].server.stop(2).wait()
        self.pod(5)
        self.names.hosts = [4, 5]
        replaced = time.monotonic()
        wait_until(lambda: self.share(5, (4, 5)), "the other has its share")
        self.assertLess(time.monotonic() - replaced, 15)
        # All are replaced at once: whoever waits goes on within a second of the new ones.
        self.names.hosts = [2]
        for last in (4, 5):
            self.pods[last].server.stop(2).wait()
        wait_until(lambda: sidecar.log("a target cannot be reached: its calls wait for it"), "it is told")
        self.pod(2)
        back = time.monotonic()
        wait_until(lambda: len(self.pods[2].calls) > 50, "it is called")
        self.assertLess(time.monotonic() - back, 10)
        ends = stop()
        self.assertEqual({"COMMITTED"}, set(ends))
        self.assertEqual(1, len(sidecar.log("a target cannot be reached: its calls wait for it")))
        self.assertEqual(1, len(sidecar.log("a target can be reached again")))

    def test_peers_that_are_no_servers(self):
        """Beside good ones, those that close their connections are passed over."""
        rude = [Rude("127.0.0.%d" % last, self.port, says) for last, says in ((6, b""), (7, b"HTTP/1.1 400 Bad Request\r\n\r\n"), (8, SETTINGS))]
        for each in rude:
            self.addCleanup(each.stop)
        self.names.hosts = [6, 2, 7, 8]
        sidecar = self.start(default_retry={"maxAttempts": 50, "initialBackoff": "1ms", "maxBackoff": "20ms"})
        stop = self.load(sidecar)
        wait_until(lambda: len(self.pods[2].calls) > 2000 and all(each.taken > 1 for each in rude), "all have been tried")
        self.assertEqual({"COMMITTED"}, set(stop()))
