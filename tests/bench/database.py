"""database.py - the journal in PostgreSQL beside that in SQLite, in the same run: the server is on the same machine, and its commits are durable."""
import os
import re
import subprocess
import sys

import rig

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
import postgres


def commit_ms(server):
    """What a commit of the database itself takes, of one row, one after another."""
    server.query("create table if not exists bench_row(body bytea)")
    script = os.path.join(server.folder, "row.sql")
    with open(script, "w") as file:
        file.write("insert into bench_row values(decode(repeat('ab', 300), 'hex'));\n")
    said = subprocess.run([os.path.join(postgres.PROGRAMS[-1], "pgbench"), "-n", "-M", "prepared", "-T", "2", "-f", script, "-h", server.folder,
                           "-U", "saga", "postgres"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return float(re.search(r"latency average = ([0-9.]+) ms", said).group(1))


def run(bench):
    server = postgres.Postgres().start()
    migrate = os.path.join(server.folder, "migrate.yaml")
    with open(migrate, "w") as file:
        file.write(f"store: {server.uri}\n")
    subprocess.run([f"{bench.binaries}/sagad", "--migrate", "-f", migrate], check=True, stdout=subprocess.DEVNULL)
    names = iter(range(1 << 20))

    def options():
        return f"store: {server.uri}\nstore_journal: bench-{next(names)}"

    rates, p50 = [], []
    for _ in range(bench.pairs):
        near = bench.once("start", 256)["rate"]
        far = bench.once("start", 256, options=options())["rate"]
        rates.append(100 * far / near)
        echo = rig.Echo(bench.binaries)
        call = bench.load(echo, "echo", 1)["p50_ms"]
        echo.stop()
        commit = commit_ms(server)
        saga = bench.once("latency", 1, options=options())["p50_ms"]
        p50.append(saga / (4 * (commit + call)))
    bench.row("three-step saga, journal in PostgreSQL, 256 in flight", "% of SQLite", rates, 50, 80, note=f"{far:.0f} and {near:.0f} sagas/s")
    bench.row("  its p50, one in flight", "x 4 (commit+echo)", p50, 1.5, 1.2, "lower", f"{saga:.2f} ms; commit {commit:.2f} ms, echo {call:.3f} ms")
    server.close()
