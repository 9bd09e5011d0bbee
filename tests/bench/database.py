"""database.py - the journal in PostgreSQL beside that in SQLite, in the same run, and ten sidecars on one database beside one: the server is on the
same machine, and its commits are durable."""
import concurrent.futures
import os
import re
import statistics
import subprocess
import sys
import time

import rig

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
import postgres

SIDECARS = 10
IN_FLIGHT = 4  # sagas of each of them
SECONDS = 2

ROW = "insert into bench_row values(decode(repeat('ab', 300), 'hex'));"
# As a sidecar's: its journal's row is advanced, and a frame goes in by what that gave.
COMMIT = ("with f as (update bench_journal set seq = seq + 1 where id = :client_id returning id, seq) "
          "insert into bench_frame select id, seq, decode(repeat('ab', 900), 'hex') from f;")


class Database:
    def __init__(self, binaries):
        self.server = postgres.Postgres().start()
        self.names = iter(range(1 << 20))
        migrate = os.path.join(self.server.folder, "migrate.yaml")
        with open(migrate, "w") as file:
            file.write(f"store: {self.server.uri}\n")
        subprocess.run([f"{binaries}/sagad", "--migrate", "-f", migrate], check=True, stdout=subprocess.DEVNULL)
        self.server.query("create table bench_row(body bytea);"
                          "create table bench_journal(id bigint primary key, seq bigint not null);"
                          "create table bench_frame(journal bigint, frame bigint, records bytea not null, primary key(journal, frame))")

    def options(self):
        """Of a sidecar that has a journal of its own there."""
        return f"store: {self.server.uri}\nstore_journal: bench-{next(self.names)}"

    def commits(self, sql, connections=1):
        """What the database itself makes of such commits a second, over so many connections, on each of them one after another."""
        script = os.path.join(self.server.folder, "commit.sql")
        with open(script, "w") as file:
            file.write(sql + "\n")
        said = subprocess.run([os.path.join(postgres.PROGRAMS[-1], "pgbench"), "-n", "-M", "prepared", "-T", str(SECONDS), "-c", str(connections),
                               "-f", script, "-h", self.server.folder, "-U", "saga", "postgres"], stdout=subprocess.PIPE, text=True, check=True).stdout
        return float(re.search(r"tps = ([0-9.]+)", said).group(1))

    def bare(self, connections):
        self.server.query("truncate bench_journal, bench_frame; insert into bench_journal select i, 0 from generate_series(0, 99) i")
        return self.commits(COMMIT, connections)

    def so_far(self):
        """Commits of all sidecars, and the server's CPU."""
        return int(self.server.query("select sum(seq) from saga_journal")), sum(map(rig.cpu_seconds, self.server.processes()))


def run(bench):
    database = Database(bench.binaries)
    rates, p50 = [], []
    for _ in range(bench.pairs):
        near = bench.once("start", 256)["rate"]
        far = bench.once("start", 256, options=database.options())["rate"]
        rates.append(100 * far / near)
        echo = rig.Echo(bench.binaries)
        call = bench.load(echo, "echo", 1)["p50_ms"]
        echo.stop()
        commit = 1e3 / database.commits(ROW)
        saga = bench.once("latency", 1, options=database.options())["p50_ms"]
        p50.append(saga / (4 * (commit + call)))
    bench.row("three-step saga, journal in PostgreSQL, 256 in flight", "% of SQLite", rates, 50, 80, note=f"{far:.0f} and {near:.0f} sagas/s")
    bench.row("  its p50, one in flight", "x 4 (commit+echo)", p50, 1.5, 1.2, "lower", f"{saga:.2f} ms; commit {commit:.2f} ms, echo {call:.3f} ms")
    database.server.close()


def together(bench, database, count, think_ms):
    """So many sidecars, each with its own journal and its own load: their sagas a second, and what is said of them."""
    sidecars = [bench.fresh(database.options()) for _ in range(count)]
    try:
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            loads = [pool.submit(bench.load, s, "start", IN_FLIGHT, seconds=SECONDS, connections=1, think=think_ms) for s in sidecars]
            time.sleep(0.7)  # they have begun to count
            commits, cpu = database.so_far()
            began = time.monotonic()
            time.sleep(SECONDS / 2)
            more, cpu_after = database.so_far()
            took = time.monotonic() - began
            loads = [load.result() for load in loads]
    finally:
        for sidecar in sidecars:
            sidecar.kill()
            sidecar.remove()
    rate, own, theirs = (sum(load[what] for load in loads) for what in ("rate", "server_cpu", "client_cpu"))
    return rate, (f"{count}: {rate:.0f} sagas/s, {(more - commits) / took:.0f} commits/s; cores: sidecars {own / SECONDS:.2f}, loads {theirs / SECONDS:.2f}, "
                  f"database {(cpu_after - cpu) / took:.2f}")


def shared(bench):
    """Ten sidecars on one database beside one, with participants that answer at once, and that take 10 ms; and what as many connections make of the
    database itself. All of it shares the machine's cores."""
    database = Database(bench.binaries)
    bare, ratios = [], {0: [], 10: []}
    for _ in range(min(bench.pairs, 3)):
        one, all_of_them = database.bare(1), database.bare(SIDECARS)
        bare.append(all_of_them / one)
        print(f"  the database itself: {one:.0f} commits/s by one, {all_of_them:.0f} by {SIDECARS}", flush=True)
        for think_ms, found in ratios.items():
            one, said = together(bench, database, 1, think_ms)
            all_of_them, said_of_all = together(bench, database, SIDECARS, think_ms)
            found.append(all_of_them / one)
            print(f"  participants take {think_ms} ms; {said}; {said_of_all}", flush=True)
    note = f"as many connections to the database itself {statistics.median(bare):.1f} x"
    bench.row(f"{SIDECARS} sidecars on one database, {IN_FLIGHT} sagas in flight each", "x one", ratios[0], 3, 5, note=note)
    bench.row("  with participants that take 10 ms", "x one", ratios[10], 3, 8, note=note)
    database.server.close()
