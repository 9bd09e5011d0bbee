"""What an operator sees, whole: each file of tests/e2e/screens is a screen after another of one command, under the command line that gives it.

  # words about what follows
  : METHOD NAME...      for the next command: the method is answered by answers/METHOD.NAME.txtpb, the next call by the next name, the last for good;
                        `-` is answers/METHOD.txtpb, and a CODE that it fails so
  : METHOD CODE REASON WORDS      or fails so; REASON - is none, and REASON@5s says when to try again
  $ COMMAND             a line of the shell in the folder screens/files; `% COMMAND` is one on a terminal
  > METHOD FIELDS       a call that it made: the request
    TEXT                a line of what it wrote; ! TEXT one of standard error; ~ marks its end where one would not see it, and one that has none says so
  = STATUS              how it exited, unless well

A method without a line is answered by answers/METHOD.txtpb, or by an empty message. There a time is how long ago (-2h5m) or to come (+5m), a length
of time is 90s. It is always 2026-05-04 10:20:30. With SAGA_SCREENS=write the files are written anew from their lines #, :, $ and %: read what changed.
"""
import datetime
import difflib
import glob
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

import grpc
from google.protobuf import descriptor_pb2, text_encoding, text_format

from harness import POOL, PATIENCE_S, message
from impostor import Impostor
from test_bad_days import SHIM
from test_sagactl import SAGACTL, ctl, environment

SCREENS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "screens")
NOW = int(datetime.datetime(2026, 5, 4, 10, 20, 30, tzinfo=datetime.timezone.utc).timestamp())
METHODS = {m.name: m for service in ("grpc.health.v1.Health", "saga.v1.Coordinator", "saga.v1.Operator")
           for m in POOL.FindServiceByName(service).methods}
UNITS = {"ms": 1, "s": 1000, "m": 60000, "h": 3600000, "d": 86400000}


def length_ms(text):
    return sum(int(n) * UNITS[unit] for n, unit in re.findall(r"(\d+)(ms|s|m|h|d)", text))


def time_of(match):
    sign, length = match.group(1), length_ms(match.group(2))
    ms = NOW * 1000 + length if sign == "+" else NOW * 1000 - length if sign == "-" else length
    return ": {seconds: %d nanos: %d}" % (ms // 1000, ms % 1000 * 1000000)


def content(name):
    """Of a file in files/; of a set of descriptors what protoc makes."""
    with open(os.path.join(SCREENS, "files", name), "rb") as f:
        data = f.read()
    return text_format.Parse(data.decode(), descriptor_pb2.FileDescriptorSet()).SerializeToString() if name.endswith(".fds.txtpb") else data


def answer(method, name):
    """The message in a file of answers/; "@FILE" is what is in files/FILE."""
    type = METHODS[method].output_type.full_name
    path = os.path.join(SCREENS, "answers", "%s%s.txtpb" % (method, name and "." + name))
    if not name and not os.path.exists(path):
        return message(type)()
    with open(path) as f:
        text = re.sub(r'"@([^"]+)"', lambda m: '"%s"' % text_encoding.CEscape(content(m.group(1)), False), f.read())
    text = re.sub(r": ([-+]?)((?:\d+(?:ms|[smhd]))+)(?=[ }\n])", time_of, text)
    if method != "Watch":
        return text_format.Parse(text, message(type)(), descriptor_pool=POOL)
    return [text_format.Parse(part, message(type)(), descriptor_pool=POOL) for part in text.split("---\n")]


def failure(code, words):
    reason, _, text = words.partition(" ")
    reason, _, again = reason.partition("@")
    status = message("google.rpc.Status")(code=code.value[0], message=text)
    if reason != "-":
        status.details.add().Pack(message("google.rpc.ErrorInfo")(reason=reason, domain="saga.v1"))
    if again:
        status.details.add().Pack(message("google.rpc.RetryInfo")(retry_delay=message("google.protobuf.Duration")(seconds=length_ms(again) // 1000)))
    return code, status


class Told:
    """The sidecar that answers as the lines of a screen say, and notes what it was asked."""

    def __init__(self, folder):
        self.asked, self.answers = [], {}
        self.impostor = Impostor(os.path.join(folder, "sidecar.sock"), **{name: self.method(name) for name in METHODS})

    def method(self, name):
        request_type, default = message(METHODS[name].input_type.full_name), answer(name, "")

        def said(request):
            asked = text_format.MessageToString(request_type.FromString(request), as_one_line=True, descriptor_pool=POOL)
            self.asked.append("> %s %s" % (name, asked))
            answers = self.answers.get(name, [default])
            return answers.pop(0) if len(answers) > 1 else answers[0]
        return said

    def tell(self, line):
        method, how = line.split(" ", 1)
        code, _, words = how.partition(" ")
        if hasattr(grpc.StatusCode, code):
            self.answers[method] = [failure(getattr(grpc.StatusCode, code), words)]
        else:
            self.answers[method] = [failure(getattr(grpc.StatusCode, name), "- no more of it") if hasattr(grpc.StatusCode, name)
                                    else answer(method, name.strip("-")) for name in how.split(" ")]


class Screens:
    """Of one file; each is a class of its own, so that run.py shares them out."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="screens-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.told = Told(cls.folder)
        cls.addClassCleanup(cls.told.impostor.close)
        os.symlink(SAGACTL, os.path.join(cls.folder, "sagactl"))
        with open(os.path.join(cls.folder, "clock"), "w") as f:
            f.write("clock REALTIME =%d 0 0\n" % NOW)
        cls.files = os.path.join(cls.folder, "files")
        cls.environment = environment(LD_PRELOAD=SHIM, SAGA_SHIM=os.path.join(cls.folder, "clock"), SAGAD_ADDRESS="unix:../sidecar.sock", TERM="xterm",
                                      PATH=cls.folder + ":" + os.environ["PATH"], ASAN_OPTIONS=os.environ["ASAN_OPTIONS"] + ":verify_asan_link_order=0")

    def marked(self, mark, text):
        """The lines of text behind their mark; what is of this machine has another name."""
        text = text.replace("anna@" + socket.gethostname()[:64], "anna@host").replace(self.folder, "FOLDER")
        text = re.sub(r"(drill-[0-9a-f]+)-[0-9a-f]+-", r"\1-PID-", text).replace("\x1b", "\\e").replace("\r", "\\r")
        lines, last = text.split("\n")[:-1], text.split("\n")[-1]
        lines += [last + " (the line does not end)"] * (last != "")
        return [mark + (line + "~" if not line or line.endswith((" ", "~")) else line) for line in lines]

    def on_terminal(self, command):
        master, slave = pty.openpty()
        process = subprocess.Popen(["sh", "-c", command], stdin=slave, stdout=slave, stderr=slave, env=self.environment, cwd=self.files)
        os.close(slave)
        out = b""
        try:
            while True:
                out += os.read(master, 65536)
        except OSError:  # nobody has it open any more
            os.close(master)
        return process.wait(PATIENCE_S), out.decode(errors="replace").replace("\r\n", "\n"), ""

    def run_line(self, line):
        del self.told.asked[:]
        if line[0] == "%":
            code, out, err = self.on_terminal(line[2:])
        else:
            process = subprocess.Popen(["sh", "-c", line[2:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment,
                                       cwd=self.files, text=True, errors="backslashreplace", start_new_session=True)
            try:
                out, err = process.communicate(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                raise
            code = process.returncode
        self.told.answers.clear()
        asked = [part for call in self.told.asked for part in self.marked("", call + "\n")]
        return asked + self.marked("  ", out) + self.marked("! ", err) + ["= %d" % code] * (code != 0)

    def test_screens(self):
        with open(self.path) as f:
            kept = f.read()
        shutil.rmtree(self.files, ignore_errors=True)
        os.mkdir(self.files)
        for name in os.listdir(os.path.join(SCREENS, "files")):
            with open(os.path.join(self.files, name.replace(".fds.txtpb", ".fds")), "wb") as f:
                f.write(content(name))
        lines = []
        for line in kept.splitlines():
            if line[:2] in ("# ", ": ", "$ ", "% ") or not line:
                lines.append(line)
            if line[:2] == ": ":
                self.told.tell(line[2:])
            elif line[:2] in ("$ ", "% "):
                lines += self.run_line(line)
        shown = "".join(line.rstrip(" ") + "\n" for line in lines)
        if os.environ.get("SAGA_SCREENS") == "write":
            with open(self.path, "w") as f:
                f.write(shown)
        elif shown != kept:
            self.fail("\n".join(difflib.unified_diff(kept.splitlines(), shown.splitlines(), os.path.relpath(self.path), "what it is now", lineterm="")))


class Commands(unittest.TestCase):
    def test_every_command_has_its_screens(self):
        commands = set(re.findall(r"(?m)^  (\w+)  ", ctl("help").out.split("\nOptions")[0]))
        self.assertGreater(len(commands), 30)
        self.assertEqual(set(), commands - {os.path.basename(p)[:-4] for p in glob.glob(SCREENS + "/*.txt")})


for _path in sorted(glob.glob(SCREENS + "/*.txt")):
    _name = "Screens_" + os.path.basename(_path)[:-4]
    globals()[_name] = type(_name, (Screens, unittest.TestCase), {"path": _path, "__module__": __name__})
