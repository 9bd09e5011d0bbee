#!/usr/bin/env python3
"""Runs the same three-step saga through Restate and through the sidecar, in turn, on the same machine and disk, and writes
build/bench/peers.{md,json}. Both acknowledge after fsync.

Restate's server and SDK come from the npm registry, as package.json pins them; they are installed into the build folder."""
import argparse
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import rig  # noqa: E402

SOURCES = ("package.json", "package-lock.json", "polyfill.mjs", "service.mjs", "driver.mjs")
SERVER = "node_modules/@restatedev/restate-server-linux-x64/bin/restate-server"
NODE_MAJOR_MIN = 18
INSTALL_SECONDS_MAX = 300
READY_SECONDS_MAX = 60


class Unavailable(Exception):
    """Why the peer cannot be had here, in words."""


# ---- the peer's installation ----

def tool(name):
    path = shutil.which(name)
    if path is None:
        raise Unavailable(f"{name} is not installed: Restate's services are JavaScript, and its server comes as an npm package")
    return path


def install(directory):
    """Puts the sources and what they need into directory; what is there already is left."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise Unavailable("the pinned server package is for Linux on x86_64")
    node, npm = tool("node"), tool("npm")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < NODE_MAJOR_MIN:
        raise Unavailable(f"node {version} is too old: {NODE_MAJOR_MIN} or newer is needed")
    os.makedirs(directory, exist_ok=True)
    for name in SOURCES:
        shutil.copy(os.path.join(HERE, name), directory)
    with open(f"{HERE}/package-lock.json") as file:
        wanted = file.read()
    stamp = f"{directory}/installed"
    if os.path.exists(stamp) and open(stamp).read() == wanted:
        return
    # No package's own scripts: one of them only counts installations.
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=60000"]
    print("installing Restate's server and SDK from the npm registry (about 220 MB)", flush=True)
    try:
        done = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=INSTALL_SECONDS_MAX, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"npm did not finish within {INSTALL_SECONDS_MAX} s: is its registry reachable?") from None
    if done.returncode != 0 or not os.path.exists(f"{directory}/{SERVER}"):
        raise Unavailable("npm could not install the packages: is its registry reachable? It said:\n" + done.stdout[-1500:])
    with open(stamp, "w") as file:
        file.write(wanted)


# ---- the peer at work ----

def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Restate:
    """A server with a data directory of its own, and the services it calls."""

    def __init__(self, directory):
        self.directory = directory
        self.data = tempfile.mkdtemp(prefix="restate-bench-")
        self.ingress, self.admin, self.node, self.port = free_ports(4)
        self.processes = []
        try:
            self.start()
        except Exception:
            self.stop()
            raise

    def start(self):
        log = open(f"{self.data}/log", "w")
        service = subprocess.Popen(["node", "service.mjs", str(self.port)], cwd=self.directory, stdout=subprocess.PIPE,
                                   stderr=log, text=True)
        self.processes.append(service)
        if not any("serving" in line for line in service.stdout):
            raise Unavailable("Restate's services did not start: " + open(f"{self.data}/log").read()[-1000:])
        settings = {
            "BASE_DIR": f"{self.data}/server", "DISABLE_TELEMETRY": "true", "LOG_FILTER": "error",
            "ADMIN__DISABLE_WEB_UI": "true", "INGRESS__BIND_ADDRESS": f"127.0.0.1:{self.ingress}",
            "ADMIN__BIND_ADDRESS": f"127.0.0.1:{self.admin}", "BIND_ADDRESS": f"127.0.0.1:{self.node}",
            # The defaults, said aloud: its log and its store fsync before they acknowledge.
            "LOG_SERVER__ROCKSDB_DISABLE_WAL_FSYNC": "false", "BIFROST__LOCAL__ROCKSDB_DISABLE_WAL_FSYNC": "false",
        }
        self.server = subprocess.Popen([f"{self.directory}/{SERVER}", "--no-logo", "--listen-mode", "tcp", "--node-name", "bench"],
                                       env={**os.environ, **{"RESTATE_" + k: v for k, v in settings.items()}},
                                       stdout=log, stderr=log)
        self.pid = self.server.pid
        self.processes.append(self.server)
        # Both answers are what is waited for: the services known, then a saga through to its end.
        self.until_answered(self.admin, "/deployments", {"uri": f"http://127.0.0.1:{self.port}"})
        self.until_answered(self.ingress, "/saga/run", {"reject": True, "payload": "x"})

    def until_answered(self, port, path, body):
        deadline = time.monotonic() + READY_SECONDS_MAX
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(),
                                         {"content-type": "application/json"})
        while True:
            try:
                with urllib.request.urlopen(request, timeout=READY_SECONDS_MAX):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError) as why:
                if time.monotonic() > deadline or self.server.poll() is not None:
                    said = open(f"{self.data}/log").read()[-1000:]
                    raise Unavailable(f"Restate's server did not become ready: {why}; {said}") from None
                time.sleep(0.2)

    def load(self, case, inflight, warmup, seconds):
        output = subprocess.run(["node", "driver.mjs", str(self.ingress), case, str(inflight), str(warmup), str(seconds)],
                                cwd=self.directory, capture_output=True, text=True, check=True).stdout
        result = json.loads(output)
        if result["failed"] or not result["count"]:
            raise RuntimeError(f"Restate: {result['failed']} sagas failed, {result['count']} ended as they should")
        return result

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
        shutil.rmtree(self.data)


# ---- side by side ----

def ours(binaries, case, inflight, seconds):
    """One in flight is measured to the end that the client is told of (Start, then Wait); more, to the last participant's answer."""
    sidecar = rig.Sidecar(binaries)
    try:
        name = "rollback" if case == "rollback" else "latency" if inflight == 1 else "start"
        return rig.load(binaries, sidecar, name, inflight, seconds, participants=sidecar.participants)
    finally:
        sidecar.kill()
        sidecar.remove()


def measure(arguments, restate):
    rows = []
    for inflight in arguments.inflight:
        for case in ("commit", "rollback"):
            pairs = [(ours(arguments.binaries, case, inflight, arguments.seconds),
                      restate.load(case, inflight, arguments.warmup, arguments.seconds)) for _ in range(arguments.pairs)]
            ratios = [mine["rate"] / its["rate"] for mine, its in pairs]
            middle = {who: {key: statistics.median(pair[at][key] for pair in pairs) for key in ("rate", "p50_ms", "p99_ms")}
                      for at, who in enumerate(("sagad", "restate"))}
            rows.append({"case": case, "inflight": inflight, **middle, "ratio": statistics.median(ratios),
                         "ratio_low": min(ratios), "ratio_high": max(ratios), "pairs": pairs})
            print(f"{case:9} {inflight:4} in flight: sagad {middle['sagad']['rate']:8.0f} a second, p50 "
                  f"{middle['sagad']['p50_ms']:8.2f} ms; Restate {middle['restate']['rate']:6.0f}, {middle['restate']['p50_ms']:8.2f} "
                  f"ms; {rows[-1]['ratio']:.0f} x ({min(ratios):.0f} to {max(ratios):.0f})", flush=True)
    return rows


def report(arguments, rows, idle_mb):
    os.makedirs(arguments.out, exist_ok=True)
    machine = {"cores": os.cpu_count(), "kernel": platform.release(), "date": time.strftime("%Y-%m-%d")}
    with open(f"{HERE}/package.json") as file:
        versions = json.load(file)["dependencies"]
    with open(f"{arguments.out}/peers.json", "w") as file:
        json.dump({"machine": machine, "versions": versions, "restate_idle_mb": idle_mb, "rows": rows}, file, indent=1)
    with open(f"{arguments.out}/peers.md", "w") as file:
        file.write(f"{machine['cores']} cores, Linux {machine['kernel']}, {machine['date']}; Restate server "
                   f"{versions['@restatedev/restate-server']} with its JavaScript SDK {versions['@restatedev/restate-sdk']}, "
                   f"{idle_mb:.0f} MB idle. Both fsync before they acknowledge. Median of {arguments.pairs} pairs.\n\n"
                   "| three-step saga | in flight | sagad, a second | p50, p99 ms | Restate, a second | p50, p99 ms | ratio | spread |\n"
                   "|---|---|---|---|---|---|---|---|\n")
        for r in rows:
            mine, its = r["sagad"], r["restate"]
            file.write(f"| {'committed' if r['case'] == 'commit' else 'rolled back at step 3'} | {r['inflight']} | "
                       f"{mine['rate']:,.0f} | {mine['p50_ms']:,.1f}, {mine['p99_ms']:,.1f} | "
                       f"{its['rate']:,.0f} | {its['p50_ms']:,.0f}, {its['p99_ms']:,.0f} | "
                       f"{r['ratio']:.0f} x | {r['ratio_low']:.0f} to {r['ratio_high']:.0f} |\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binaries", default="build/release")
    parser.add_argument("--out", default="build/bench")
    parser.add_argument("--install", default="build/peers", help="where the npm packages go")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--warmup", type=float, default=2, help="of Restate's; ours has half a second")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--inflight", type=int, nargs="*", default=[1, 64, 256])
    arguments = parser.parse_args()
    try:
        install(os.path.abspath(arguments.install))
        restate = Restate(os.path.abspath(arguments.install))
    except Unavailable as why:
        sys.exit(f"bench-peers: not measured: {why}")
    try:
        idle_mb = rig.status_kb(restate.pid, "VmRSS") / 1024
        report(arguments, measure(arguments, restate), idle_mb)
    finally:
        restate.stop()
    print(f"{arguments.out}/peers.md")


if __name__ == "__main__":
    main()
