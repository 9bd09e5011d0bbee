"""What the benchmarks run on: an echo server, a sidecar, the load generator, and what the kernel says of them."""
import json
import os
import re
import signal
import sqlite3
import subprocess
import tempfile
import time

STEP = """  - name: s{i}
    after: [{after}]
    action: {{target: {name}, method: /bench.P/A{method}}}
    compensation: {{target: {name}, method: /bench.P/C{method}}}
"""


def definition(name="bench", steps=3, beside=False):
    """So many steps in a row, or all but the last side by side. The last calls A3, by which the generator knows the end."""
    text = f"name: {name}\nversion: 1.0.0\nsteps:\n"
    for i in range(1, steps + 1):
        last = i == steps
        after = ", ".join(f"s{k}" for k in range(1, i)) if last and beside else "" if i == 1 or beside else f"s{i - 1}"
        text += STEP.format(i=i, after=after, name=name, method=3 if last else min(i, 2))
    return text



def cpu_seconds(pid):
    """User and system time of a process so far, of threads that have ended too: its CPU clock (clock_getcpuclockid), since the ticks of
    /proc/PID/stat are too coarse for short runs."""
    return time.clock_gettime(~pid << 3 | 2)


def status_kb(pid, name):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(rf"^{name}:\s+(\d+)", file.read(), re.M).group(1))


def written_bytes(pid):
    with open(f"/proc/{pid}/io") as file:
        return int(re.search(r"^write_bytes: (\d+)", file.read(), re.M).group(1))


class Echo:
    def __init__(self, binaries):
        self.process = subprocess.Popen([f"{binaries}/bench/echo_server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self.process.pid
        self.address = "127.0.0.1:%d" % int(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


class Sidecar:
    """A sidecar with a data directory of its own; the participants' address is fixed before they listen."""

    def __init__(self, binaries, directory=None, options="", targets=1, steps=3, beside=False):
        self.binaries = binaries
        self.targets = targets
        self.directory = directory or tempfile.mkdtemp(prefix="sagad-bench-")
        self.participants = f"unix:{self.directory}/participants.sock"
        os.makedirs(f"{self.directory}/definitions", exist_ok=True)
        names = ["bench"] if targets == 1 else [f"bench{i}" for i in range(targets)]
        for name in names:
            with open(f"{self.directory}/definitions/{name}.yaml", "w") as file:
                file.write(definition(name, steps, beside))
        addresses = {name: self.participants if targets == 1 else f"{self.participants}.{i}" for i, name in enumerate(names)}
        with open(f"{self.directory}/sagad.yaml", "w") as file:
            file.write(f"data_dir: {self.directory}/data\nlisten: ['127.0.0.1:0']\n"
                       f"definitions_dir: {self.directory}/definitions\n"
                       "targets:\n" + "".join(f"  {name}: {{address: '{address}', timeout: 60s, max_concurrent_calls: 4096}}\n"
                                              for name, address in addresses.items()) +
                       f"{options}\n")
        self.start()

    def start(self):
        began = time.monotonic()
        self.process = subprocess.Popen([f"{self.binaries}/sagad", "-f", f"{self.directory}/sagad.yaml"],
                                        stderr=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        for line in self.process.stderr:
            match = re.search(r"msg=listening .*port=(\d+)", line)
            if match:
                self.address = "127.0.0.1:" + match.group(1)
            if "msg=ready" in line:
                self.ready_seconds = time.monotonic() - began
                self.ready_line = line
                return
        raise RuntimeError("the sidecar did not start")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stderr.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=30)
        return self.process.returncode

    def remove(self):
        subprocess.run(["rm", "-rf", self.directory], check=True)


def load(binaries, server, case, inflight, seconds, participants=None, **options):
    """Runs the load generator against a server and adds what the server spent while it counted."""
    command = [f"{binaries}/bench/load", "--case", case, "--address", server.address, "--inflight", str(inflight),
               "--seconds", str(seconds)]
    if participants:
        command += ["--participants", participants, "--targets", str(getattr(server, "targets", 1))]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    at = {}
    errors = []
    for line in process.stderr:
        if line.startswith("count"):
            at[line.strip()] = (cpu_seconds(server.pid), cpu_seconds(process.pid), written_bytes(server.pid))
        else:
            errors.append(line)
    output = process.communicate()[0]
    if process.returncode != 0 or "counted" not in at:
        raise RuntimeError(f"{' '.join(command)}: {''.join(errors)}")
    result = json.loads(output)
    result["server_cpu"] = at["counted"][0] - at["counting"][0]
    result["client_cpu"] = at["counted"][1] - at["counting"][1]
    result["written"] = at["counted"][2] - at["counting"][2]
    if result["count"]:
        result["cpu_us"] = result["server_cpu"] / result["count"] * 1e6
        result["bytes_each"] = result["written"] / result["count"]
    if result["failed"]:
        raise RuntimeError(f"{case}: {result['failed']} failed: {''.join(errors)}")
    return result


class Served:
    """Participants at so many addresses, in a process of their own, for a caller that is measured itself."""

    def __init__(self, binaries, targets, address=None, more=()):
        self.directory = tempfile.mkdtemp(prefix="sagad-bench-")
        self.address = address or f"unix:{self.directory}/participants.sock"
        self.process = subprocess.Popen([f"{binaries}/bench/load", "--case", "serve", "--address", "unix:none", "--participants", self.address,
                                         "--targets", str(targets), "--seconds", "3600", *more], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.process.stderr.readline()
        self.pid = self.process.pid

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        subprocess.run(["rm", "-rf", self.directory], check=True)


def fsync_ms(directory, rounds=200):
    """The median of one small append made durable, where the journal lies."""
    path = f"{directory}/fsync"
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        os.write(file, b"x" * 4096)
        os.fdatasync(file)
        times.append(time.perf_counter() - began)
    os.close(file)
    os.unlink(path)
    return sorted(times)[rounds // 2] * 1e3


def fill_finished(journal, count, random=False):
    """Puts count sagas that have ended into a journal that has none: as the sidecar would have left them; random: with request_ids in no order."""
    now = int(time.time() * 1e6)
    db = sqlite3.connect(journal)
    db.executescript("PRAGMA synchronous=OFF; PRAGMA cache_size=-200000;")
    db.execute("INSERT OR IGNORE INTO definition_names(number, name) VALUES(1, 'bench')")
    db.execute("""WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO ended(serial, tag, state, mode, reason, definition, name, request, fingerprint, started_us, ended_us,
                          first_frame, last_frame)
        SELECT i, 1, 2, 1, 0, 1, NULL, CASE ?3 WHEN 0 THEN printf('%012x-%08x-0001', (?2 + i) / 1000, i)
                                                      ELSE lower(hex(randomblob(8))) || '-0001' END, i, ?2 + i, ?2 + i + 1000, 1, 1 FROM n""",
               (count, now - 3600 * 10**6 - count, random))
    db.execute("DELETE FROM meta WHERE key = 'requests'")  # the next start makes the table of request_ids from the rows
    db.commit()
    db.close()
