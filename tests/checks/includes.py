#!/usr/bin/env python3
"""Who may know whom: the include-direction check. The table is that of ARCHITECTURE.md; what is not listed is forbidden."""
import os
import re
import sys

# Headers of the C library that need no operating system: what pure rooms may use.
PURE = {"limits.h", "stdbool.h", "stddef.h", "stdint.h", "string.h", "stdarg.h", "stdalign.h", "stdnoreturn.h"}

# room -> (rooms or headers it may include, system headers it may include: a set, or None for any but the guarded ones)
ROOMS = {
    "compensations": (["sidecar/base/grpc_status.h"], PURE),
    "sidecar/base": ([], PURE | {"stdatomic.h"}),
    "transport": (["@proto"], None),
    # The reader of definitions is the only part of this room that allocates and knows YAML.
    "sidecar/definition": (["sidecar/base", "sidecar/message", "sidecar/mapping"], PURE | {"inttypes.h", "yaml.h", "stdlib.h", "stdio.h", "ctype.h"}),
    "sidecar/resilience": (["sidecar/base"], PURE),
    "sidecar/message": (["sidecar/base"], PURE),
    "sidecar/expression": (["sidecar/base", "sidecar/message"], PURE),
    "sidecar/mapping": (["sidecar/base", "sidecar/message", "sidecar/expression", "sidecar/definition/model.h"], PURE),
    "sidecar/engine": (["sidecar/base", "sidecar/definition/model.h", "sidecar/definition/names.h", "sidecar/resilience", "sidecar/mapping/mapping.h",
                        "compensations"], PURE),
    "sidecar/where": (["sidecar/base", "sidecar/expression", "sidecar/engine/record.h", "sidecar/engine/saga.h"], PURE | {"stdio.h"}),
    "sidecar/remedy": (["sidecar/base", "sidecar/expression"], PURE | {"stdio.h"}),
    "sidecar/journal": (["sidecar/base", "sidecar/engine/record.h", "sidecar/definition/model.h", "compensations"], None),
    "sidecar/rpc": (["sidecar/base", "transport", "compensations/answer.h", "@proto"], None),
    "sidecar/observe": (["sidecar/base", "transport/address.h", "@proto"], None),
    "sidecar/core": (["sidecar/base", "sidecar/definition", "sidecar/message", "sidecar/engine", "sidecar/journal/store.h", "sidecar/journal/codec.h",
                      "sidecar/where", "sidecar/remedy", "compensations", "@proto"], None),
    "sidecar/authz": (["sidecar/base", "sidecar/api/methods.def"], PURE),
    "sidecar/config": (["sidecar/base", "sidecar/definition", "sidecar/authz", "transport/address.h"], None),
    "sidecar/lint": (["sidecar/base", "sidecar/definition", "sidecar/mapping/mapping_look.h", "sidecar/expression/examine.h", "sidecar/message"],
                     PURE | {"stdlib.h", "stdio.h"}),
    "sidecar/policy": (["sidecar/base", "sidecar/definition", "sidecar/expression", "sidecar/message", "@proto"], PURE | {"stdlib.h", "stdio.h"}),
    "sidecar/contract": (["sidecar/base", "sidecar/definition/model.h", "sidecar/message", "sidecar/mapping/mapping_look.h", "sidecar/expression/examine.h"],
                         PURE | {"stdio.h"}),
    "sidecar/rehearse": (["sidecar/base", "sidecar/definition", "sidecar/message", "sidecar/engine", "sidecar/lint/lint.h", "compensations"],
                         PURE | {"stdio.h"}),
    "sidecar/shard": (["sidecar/base"], PURE),
    "sidecar/api": (["sidecar/base", "sidecar/authz", "sidecar/definition", "sidecar/engine", "sidecar/journal/store.h", "sidecar/journal/codec.h",
                     "sidecar/journal/sealed/sealed_store.h",
                     "sidecar/core", "sidecar/message", "sidecar/rpc/rpc.h", "sidecar/rpc/status_details.h",
                     "sidecar/observe", "sidecar/shard", "sidecar/where",
                     "compensations", "@proto"], None),
    "sidecar/relay": (["sidecar/base", "sidecar/authz", "sidecar/core", "sidecar/rpc/rpc.h", "sidecar/shard", "sidecar/api", "@proto"], None),
    "sidecar/runtime": (["sidecar", "transport", "compensations", "@proto"], None),
    "client-lib/include": (["saga"], PURE | {"libpq-fe.h", "sqlite3.h"}),
    "client-lib/src": (["client-lib/src", "saga", "transport", "compensations", "@proto"], None),
    "client-lib/sqlite": (["client-lib/sqlite", "saga", "compensations"], None),
    "client-lib/pq": (["client-lib/pq", "saga", "compensations"], None),
    "client-lib/sagactl": (["client-lib/sagactl", "client-lib/src", "saga", "sidecar/definition", "sidecar/lint", "sidecar/rehearse/rehearse.h",
                            "sidecar/policy/policy.h", "sidecar/contract/contract.h", "sidecar/config/config.h",
                            "sidecar/config/config_faults.h", "sidecar/engine/record.h", "sidecar/message", "sidecar/base", "@proto"],
                           None),
    "client-lib/examples": (["client-lib/examples", "saga", "@own"], None),
    "tests": (["tests", "sidecar", "client-lib", "transport", "compensations", "saga", "@proto", "@own"], None),
}

# Libraries that one place alone may know: pattern of the header -> rooms.
GUARDED = [
    (re.compile(r"^grpc/health/"), ["transport/", "sidecar/rpc/", "client-lib/src/", "client-lib/sagactl/cmd_status.c", "tests/"]),
    (re.compile(r"^grpc/reflection/"), ["transport/", "sidecar/rpc/", "client-lib/src/", "client-lib/sagactl/reflect.c", "tests/"]),
    (re.compile(r"^grpc/(?!health/|reflection/)"), ["transport/", "sidecar/rpc/", "client-lib/src/", "tests/"]),
    (re.compile(r"^sqlite3\.h$"), ["sidecar/journal/sqlite/", "client-lib/include/saga/sqlite.h", "client-lib/sqlite/",
                                   "client-lib/examples/", "tests/"]),
    (re.compile(r"^libpq-fe\.h$"), ["client-lib/include/saga/pq.h", "client-lib/pq/", "sidecar/journal/postgres/", "tests/"]),
    (re.compile(r"^yaml\.h$"), ["sidecar/definition/yaml_tree.c"]),
    (re.compile(r"^jansson\.h$"), ["client-lib/sagactl/", "tests/"]),
    (re.compile(r"^microhttpd\.h$"), ["sidecar/observe/http.c"]),
    (re.compile(r"^curl/"), ["sidecar/runtime/curl.h"]),
    (re.compile(r"^openssl/"), ["transport/certificates.c", "transport/core.c", "sidecar/journal/sealed/", "tests/"]),
    (re.compile(r"^ares\.h$"), ["sidecar/rpc/names.c"]),
]

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def is_proto(name):
    return name.endswith(".pb-c.h") or name in ("descriptors.h", "version.h") or name.startswith("protobuf-c/")


def allowed(name, path, room, rooms):
    for r in rooms:
        if r == "@proto" and is_proto(name):
            return True
        if r == "@own" and "/" not in name:
            return True
        if not r.startswith("@") and (name == r or name.startswith(r + "/")):
            return True
    return name.startswith(room + "/")


def check(path, problems):
    room = max((r for r in ROOMS if path.startswith(r + "/")), key=len, default=None)
    if room is None:
        problems.append(f"{path}: lies in no room that tests/checks/includes.py knows")
        return
    rooms, system = ROOMS[room]
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            name = match.group(2)
            local = match.group(1) == '"' or name.startswith("saga/") or is_proto(name)
            for pattern, where in GUARDED:
                if pattern.match(name) and not any(path.startswith(w) for w in where):
                    problems.append(f"{path}:{number}: {name} is known only to {', '.join(where)}")
            if name.endswith("_inside.h") and os.path.dirname(name) != os.path.dirname(path) and room != "tests":
                problems.append(f"{path}:{number}: {name} is known only to its own folder")
            if local and not allowed(name, path, room, rooms):
                problems.append(f"{path}:{number}: {room} may not include {name}")
            if not local and system is not None and name not in system:
                problems.append(f"{path}:{number}: {room} may not include <{name}>")


def main():
    problems = []
    count = 0
    for top in ("compensations", "transport", "sidecar", "client-lib", "tests"):
        for folder, _, files in os.walk(top):
            for file in sorted(files):
                if file.endswith((".c", ".h")):
                    count += 1
                    check(os.path.join(folder, file), problems)
    for problem in problems:
        print(problem)
    print(f"include directions: {count} files, {len(problems)} problems")
    return 1 if problems or count == 0 else 0


sys.exit(main())
