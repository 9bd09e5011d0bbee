"""The definitions in client-lib/examples/definitions, carried out by a sidecar: to their end, and undone when the last step that may fail does."""
import glob
import os
import re
import subprocess
import tempfile

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from harness import Case, ROOT, Sidecar, fail, state_name
from test_sagactl import ctl

FOLDER = os.path.join(ROOT, "client-lib/examples/definitions")


class Examples(Case):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.set = os.path.join(folder.name, "trades.binpb")
        subprocess.run(["protoc", "-I", FOLDER, "--include_imports", "--descriptor_set_out=" + self.set, "trades.proto"], check=True)
        with open(self.set, "rb") as f:
            files = descriptor_pb2.FileDescriptorSet.FromString(f.read())
        pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            pool.Add(file)
        self.types = {}
        for service in files.file[-1].service:
            for method in service.method:
                path = "/trades.v1.%s/%s" % (service.name, method.name)
                self.types[path] = [message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName(t[1:]))
                                    for t in (method.input_type, method.output_type)]
                self.shop.on(path, self.answer(path))

    def answer(self, path):
        """Answers with a reference of its own, wherever the message has a text for it."""
        request, response = self.types[path]

        def function(call):
            self.received.append((path, request.FromString(call.request)))
            made = response()
            for field in made.DESCRIPTOR.fields:
                if field.type == field.TYPE_STRING:
                    setattr(made, field.name, "OK" if field.name == "status" else "of " + path.rsplit("/", 1)[1])
            return made.SerializeToString()
        return function

    def test_each_is_run(self):
        paths = sorted(glob.glob(FOLDER + "/*.yaml"))
        self.assertEqual(20, len(paths))
        texts = {}
        for path in paths:
            with open(path) as f:
                texts[path] = f.read()
        targets = {name: self.shop.address for text in texts.values()
                   for names in re.findall(r"^    target: (?:\{oneof: \[(.*?)\]|(\w+))", text, re.M) for name in "".join(names).split(", ")}
        sidecar = Sidecar(targets=targets)
        self.addCleanup(sidecar.close)
        self.assertEqual(0, ctl("schema", "register", "-a", sidecar.address, self.set).code)
        ran = ctl("register", "-a", sidecar.address, *paths)
        self.assertEqual((0, ""), (ran.code, ran.err), ran)
        for path, text in texts.items():
            with self.subTest(path):
                self.run_one(sidecar, os.path.basename(path)[:-5], text)

    def run_one(self, sidecar, name, text):
        given = re.search(r"^# input: (.*)$", text, re.M).group(1)
        self.received = []
        ran = ctl("start", name, "--wait", "--json", given, "-a", sidecar.address)
        self.assertEqual(0, ran.code, ran)
        steps = text.split("\n  - name: ")[1:]
        self.assertEqual(sorted(re.search(r"action:\n      method: (\S+)", s).group(1) for s in steps), sorted(p for p, _ in self.received))
        pivot = [s for s in steps if "\n    pivot: true" in s]
        if not pivot and "forward_only: true" in text:
            return
        # What may fail last does: everything before it is undone, each undo knowing what its action answered.
        last = re.search(r"action:\n      method: (\S+)", (pivot or steps)[0 if pivot else -1]).group(1)
        self.shop.on(last, fail(grpc.StatusCode.FAILED_PRECONDITION))
        self.received = []
        ran = ctl("start", name, "--wait", "--json", given, "-a", sidecar.address)
        self.shop.on(last, self.answer(last))
        self.assertEqual(10, ran.code, ran)
        before = [s for s in steps if last not in s and s in (steps[:steps.index(pivot[0])] if pivot else steps[:-1])]
        undos = [re.search(r"compensation:\n      method: (\S+)", s) for s in before]
        wanted = sorted(u.group(1) for u in undos if u)
        undone = [(p, request) for p, request in self.received if p in wanted]
        self.assertEqual(wanted, sorted(p for p, _ in undone))
        for p, request in undone:
            self.assertTrue(request.action_key, p)
            reference = next(getattr(request, f) for f in ("ref", "reservation_id", "charge_id") if hasattr(request, f))
            self.assertTrue(reference.startswith("of "), (p, request))
