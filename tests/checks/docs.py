#!/usr/bin/env python3
"""The documents against the tree: links lead somewhere, quoted files are what they quote, and nothing is named that does not exist.

    docs.py            checks, and ends with one line of counts
    docs.py --write    brings the quoted files and the table of reasons in the documents up to date

Names are checked by rules of thumb: a word in `code` that looks like an identifier must be a word of the sources, a path must exist, and what
stands behind sagactl, sagad or make must be a command, an option or a target of theirs.
"""
import os
import re
import subprocess
import sys

SOURCES = (".c", ".h", ".def", ".proto", ".sql", ".py", ".sh", ".yaml", ".in")
TOPS = ("client-lib/", "compensations/", "deploy/", "docs/", "proto/", "scripts/", "sidecar/", "tests/", ".ci/")
REASONS_BEGIN = "<!-- reasons: from sidecar/base/error.h by `python3 tests/checks/docs.py --write`; do not edit -->\n"
REASONS_END = "<!-- reasons: end -->\n"
# Words of other programs that documents may use in `code`.
FOREIGN = {"grpc_python_plugin", "grpc_health_probe", "emptyDir", "GLIBC_TUNABLES"}

problems = []
counts = {"documents": 0, "links": 0, "names": 0}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def problem(path, number, text):
    problems.append("%s:%d: %s" % (path, number, text))


def tracked(*suffixes):
    """Files of the tree, those that are not committed yet included."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
    if listed.returncode == 0:
        paths = listed.stdout.splitlines()
    else:  # a tree without its history
        paths = [os.path.relpath(os.path.join(folder, f)) for folder, _, files in os.walk(".") for f in files]
    return sorted(p for p in paths if p.endswith(suffixes) and not p.startswith("build/") and os.path.exists(p))


# ---- what the sources know ------------------------------------------------------------------------------------------

def source_words():
    words = set()
    scripts = tracked("scripts/demo", "scripts/setup", "scripts/test")
    for path in [p for p in tracked(*SOURCES) if "/corpus/" not in p] + ["Makefile", "tests/tests.mk"] + scripts:
        words.update(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", read(path)))
    return words


def sagactl_words():
    """(commands, options with their dashes)."""
    text = read("client-lib/sagactl/command.c")
    commands = set(re.findall(r'\{"([a-z]+)",\s*"', text[text.index("command_rows[] ="):]))
    options = set()
    for name, letter in re.findall(r"\[OPTION_\w+\]\s*=\s*\{\s*\"([a-z-]+)\",\s*'(.|\\0)'", text):
        options.add("--" + name)
        if letter != "\\0":
            options.add("-" + letter)
    assert len(commands) > 10 and "--address" in options and "-a" in options, "sagactl's tables are not where they were"
    return commands, options


def sagad_options():
    text = read("sidecar/runtime/main.c")
    options = {"--" + name for name in re.findall(r'\{"([a-z-]+)", (?:no|required|optional)_argument', text)}
    options |= {"-" + letter for letter in re.search(r'getopt_long\(argc, argv, "([a-z:]+)"', text).group(1) if letter != ":"}
    assert {"--file", "-f", "-n"} <= options, "sagad's options are not where they were"
    return options


def make_targets():
    text = read("Makefile") + read("tests/tests.mk")
    targets = set(re.findall(r"^([a-z][a-z-]*):(?!=)", text, re.M))
    for line in re.findall(r"^\.PHONY: (.*)$", text, re.M):
        targets.update(line.split())
    return targets


def reasons():
    """(reason, gRPC status, retryable, text) of each row of error.h."""
    text = re.sub(r"\s*\\\n\s*", " ", read("sidecar/base/error.h"))
    rows = re.findall(r'X\(E_\w+, -\d+, "(\w+)", CODE_(\w+), (true|false), ((?:"[^"]*"\s*)+)\)', text)
    assert len(rows) == text.count("X(E_") and len(rows) > 30, "the table of errors cannot be read any more"
    return [(reason, status, retryable == "true", "".join(re.findall(r'"([^"]*)"', words)))
            for reason, status, retryable, words in rows]


def reasons_table():
    lines = ["\n| reason | gRPC status | try again | what it says |\n|---|---|---|---|\n"]
    for reason, status, retryable, text in reasons():
        lines.append("| `%s` | %s | %s | %s |\n" % (reason, status, "yes" if retryable else "", text))
    return "".join(lines) + "\n"


# ---- a document -----------------------------------------------------------------------------------------------------

def split(text):
    """Each line as (number, line, language of its code block or None)."""
    language = None
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.match(r"\s*```(\S*)", line)
        if fence:
            language = (fence.group(1) or "text") if language is None else None
            continue
        yield number, line, language


def anchors(path):
    """The anchors of a document's headings, as GitHub makes them."""
    found = set()
    for _, line, language in split(read(path)):
        heading = re.match(r"#+ (.*)", line) if language is None else None
        if heading:
            words = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading.group(1)).strip().lower()
            found.add(re.sub(r"[^\w\- ]", "", words).replace(" ", "-"))
    return found


def check_link(path, number, target):
    counts["links"] += 1
    if re.match(r"[a-z]+:", target):
        return
    file, _, anchor = target.partition("#")
    there = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
    if not os.path.exists(there):
        problem(path, number, "the link to %s leads nowhere" % target)
    elif anchor and anchor not in anchors(there):
        problem(path, number, "%s has no heading #%s" % (there, anchor))


def check_command_line(path, number, text, tables):
    """What follows sagactl, sagad or make in a line of shell or a `code` of several words."""
    (commands, sagactl_options), sagad, targets = tables
    for part in re.split(r"[|;&]|\$\(|\)", text):
        words = re.sub(r"'[^']*'|\"[^\"]*\"", '""', part.split("#")[0]).split()
        for i, word in enumerate(words):
            program, rest = os.path.basename(word), words[i + 1:]
            options = {"sagactl": sagactl_options, "sagad": sagad}.get(program)
            if options is not None:
                for option in (w.split("=")[0] for w in rest if re.match(r"--?[a-zA-Z]", w)):
                    counts["names"] += 1
                    if option not in options:
                        problem(path, number, "%s has no option %s" % (program, option))
            if program == "sagactl" and rest and re.fullmatch(r"[a-z]+", rest[0]):
                counts["names"] += 1
                if rest[0] not in commands:
                    problem(path, number, "sagactl has no command %s" % rest[0])
            if program == "make" and (i == 0 or words[i - 1] in ("sudo", "!")):
                for target in (w for w in rest if re.fullmatch(r"[a-z][a-z-]*", w)):
                    counts["names"] += 1
                    if target not in targets:
                        problem(path, number, "the Makefile has no target %s" % target)
            if options is not None or program == "make":
                break


def check_code(path, number, code, words, tables):
    """A `code` in the text."""
    if " " in code:
        check_command_line(path, number, code, tables)
        return
    name = re.sub(r"\(\)$", "", code)
    name = re.sub(r"^(sagad_\w+?)_(total|sum|count|bucket)$", r"\1", name)  # of a metric, tests/checks/alerts.py knows
    if name.startswith(TOPS):
        counts["names"] += 1
        pattern = re.search(r"[<{*]|[A-Z]{4}", name) and not name.endswith(".md")  # tests/unit/test_MODULE.c
        if not pattern and not os.path.exists(name):
            problem(path, number, "%s does not exist" % name)
    elif re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)+|[a-z]+[A-Z][A-Za-z]+", name):
        counts["names"] += 1
        if name not in words and name not in FOREIGN and not any(w.endswith("_" + name) for w in words if name.isupper()):
            problem(path, number, "nothing in the tree is called %s" % name)


def check_quotes(path, text, write):
    """Code blocks behind <!-- file: PATH --> are that file; the table of reasons is error.h's."""
    def quote(match):
        file = match.group(2)
        if not os.path.exists(file):
            problem(path, text.count("\n", 0, match.start()) + 1, "%s, which is quoted, does not exist" % file)
            return match.group(0)
        return match.group(1) + match.group(3) + read(file) + "```\n"
    new = re.sub(r"(<!-- file: (\S+) -->\n)(```\w+\n).*?^```\n", quote, text, flags=re.S | re.M)
    begin, end = new.find(REASONS_BEGIN), new.find(REASONS_END)
    if begin >= 0 and end > begin:
        new = new[:begin] + REASONS_BEGIN + reasons_table() + new[end:]
    if new != text and write:
        with open(path, "w", encoding="utf-8") as file:
            file.write(new)
    elif new != text:
        at = next(n for n, (a, b) in enumerate(zip(text.splitlines() + [""], new.splitlines() + [""]), 1) if a != b)
        problem(path, at, "is not what it quotes any more; run python3 tests/checks/docs.py --write")


def check_document(path, words, tables):
    counts["documents"] += 1
    text = read(path)
    for number, line, language in split(text):
        if language in ("sh", "bash", "console"):
            check_command_line(path, number, re.sub(r"^\$ ", "", line), tables)
        if language is not None:
            continue
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`(?!\])", "", line)):
            check_link(path, number, target)
        for code in re.findall(r"`([^`]+)`", line):
            check_code(path, number, code, words, tables)


# ---- numbers, names and words that stand in documents and in the sources ----

# (document, what stands there with the number in brackets, file, name of the number in it)
NUMBERS = [
    ("docs/api.md", r"at most ([\d,]+) events, [\d,]+ when nothing is said", "sidecar/api/get.c", "PAGE_MAX"),
    ("docs/api.md", r"at most [\d,]+ events, ([\d,]+) when nothing is said", "sidecar/api/get.c", "PAGE_DEFAULT"),
    ("docs/api.md", r"up to the latest ([\d,]+)", "sidecar/core/timeline.h", "TIMELINE_RECORDS_MAX"),
    ("docs/api.md", r"`page_size` is at most (\d+)", "sidecar/api/reads.c", "PAGE_SIZE_MAX"),
    ("docs/api.md", r"`page_size` is at most \d+; 0 takes (\d+)", "sidecar/api/api.h", "API_PAGE_SIZE_DEFAULT"),
    ("docs/api.md", r"A message holds up to (\d+) events", "sidecar/api/watch.c", "EVENTS_MAX"),
    ("docs/api.md", r"Up to\s+(\d+) messages of a stream", "sidecar/api/pipe.c", "MESSAGES_MAX"),
    ("docs/api.md", r"the `actor` \(1 to (\d+) bytes\)", "sidecar/engine/record.h", "ACTOR_BYTES_MAX"),
    ("docs/definitions.md", r"JSON given is at most (\d+ KiB)", "sidecar/api/payload.c", "TEXT_BYTES_MAX"),
    ("docs/definitions.md", r"the first (\d+ KiB) of a saga", "sidecar/api/view.c", "JSON_BYTES_MAX"),
    ("docs/definitions.md", r"with all that it imports, at most (\d+ KiB)", "sidecar/message/schema.h", "SCHEMA_BYTES_MAX"),
    ("docs/definitions.md", r"\| `name` \| required \| 1 to (\d+) letters", "sidecar/definition/model.h", "NAME_BYTES_MAX"),
    ("docs/definitions.md", r"unique in the definition; 1 to (\d+) letters", "sidecar/definition/model.h", "STEP_NAME_BYTES_MAX"),
    ("docs/definitions.md", r"a semantic version of at most (\d+) bytes", "sidecar/definition/reader.h", "VERSION_BYTES_MAX"),
    ("docs/definitions.md", r"`/package.Service/Method`, of at most (\d+) bytes", "sidecar/definition/model.h", "METHOD_BYTES_MAX"),
    ("docs/definitions.md", r"\| `maxAttempts` \| 1 to (\d+)", "sidecar/definition/model.h", "RETRY_ATTEMPTS_MAX"),
    ("docs/configuration.md", r"\| `maxAttempts` \| 1 to (\d+)", "sidecar/definition/model.h", "RETRY_ATTEMPTS_MAX"),
    ("docs/journal-format.md", r"that has grown to (\d+ KiB)", "sidecar/core/core_inside.h", "FRAME_BYTES_DEFAULT"),
    ("docs/journal-format.md", r"longer than (\d+) pages", "sidecar/journal/sqlite/sqlite_shares.c", "CHECKPOINT_PAGES_DEFAULT"),
    ("docs/journal-format.md", r"of the newest ([\d,]+) before the start", "sidecar/runtime/loop_open.c", "VERIFY_AT_START"),
    ("docs/operations.md", r"the newest ([\d,]+) before the start", "sidecar/runtime/loop_open.c", "VERIFY_AT_START"),
    ("docs/operations.md", r": (\d+ KiB) of lines are kept", "sidecar/observe/log.h", "LOG_QUEUE_BYTES"),
    ("docs/compatibility.md", r"numbered migrations \(now (\d+)\)", "sidecar/journal/sqlite/sqlite_inside.h", "SCHEMA_VERSION"),
    ("docs/journal-format.md", r"## Tables, version (\d+)", "sidecar/journal/sqlite/sqlite_inside.h", "SCHEMA_VERSION"),
    ("docs/compatibility.md", r"its format's number \(now (\d+)\)", "sidecar/journal/codec.h", "RECORD_FORMAT"),
    ("docs/journal-format.md", r"## A record, format (\d+)", "sidecar/journal/codec.h", "RECORD_FORMAT"),
    ("proto/saga/v1/saga.proto", r"what the participant said \(cut at (\d+) bytes\)", "sidecar/engine/record.h", "MESSAGE_BYTES_MAX"),
]


def number_of(text):
    """4, 1,000, "32 KiB", (256 << 10), 10u: what stands in a document or behind a #define."""
    text = text.replace(",", "").strip()
    if re.fullmatch(r"\d+ KiB", text):
        return int(text.split()[0]) * 1024
    if not re.fullmatch(r"[\d\s()*<u]+", text):
        return None
    return eval(re.sub(r"(\d)u", r"\1", text))


def check_numbers():
    for document, pattern, file, name in NUMBERS:
        counts["names"] += 1
        said = re.search(pattern, read(document))
        defined = re.search(r"#define %s +([^/\n]+)" % name, read(file))
        if said is None:
            problem(document, 1, "says no more what %s is (tests/checks/docs.py looks for %s)" % (name, pattern))
        elif defined is None or number_of(defined.group(1)) is None:
            problem(file, 1, "defines no number %s any more" % name)
        elif number_of(said.group(1)) != number_of(defined.group(1)):
            line = read(document)[:said.start()].count("\n") + 1
            problem(document, line, "says %s, and %s is %s" % (said.group(1), name, defined.group(1).strip()))


def check_words():
    """Reasons and events of the API are told in docs/api.md, and what documents quote of waiting_for is what is said."""
    proto, api = read("proto/saga/v1/saga.proto"), read("docs/api.md")
    story = api[api.index("## A saga's story"):]
    for prefix in ("REASON", "EVENT_TYPE"):
        for name in re.findall(r"^  %s_(\w+) = [1-9]" % prefix, proto, re.M):
            counts["names"] += 1
            if "`%s`" % name not in story:
                problem("docs/api.md", 1, "does not tell of %s_%s" % (prefix, name))
    formats = [re.sub("%s", ".+", re.escape(text).replace("%s", "%s"))
               for text in re.findall(r'arena_format\(a, "([^"]+)"', read("sidecar/api/view.c"))]
    quotes = [("proto/saga/v1/saga.proto", q) for q in re.findall(r'"([^"]+)"', re.search(
        r"((?:  //.*\n)+)  string waiting_for", proto).group(1).replace("\n  //", ""))]
    quotes += [("docs/concepts.md", q) for q in re.findall(r'Get says "([^"]+)"', read("docs/concepts.md"))]
    assert len(quotes) >= 3 and len(formats) >= 10, "quotes of waiting_for cannot be found any more"
    for document, quote in quotes:
        counts["names"] += 1
        if not any(re.fullmatch(f, re.sub(r"\s+", " ", quote.replace("...", "x"))) for f in formats):
            problem(document, 1, 'quotes "%s", which is not said' % quote)


# ---- what documents must not leave out ------------------------------------------------------------------------------

def check_completeness():
    api = read("docs/api.md")
    if REASONS_BEGIN not in api or REASONS_END not in api:
        problem("docs/api.md", 1, "the lines between which the reasons stand are gone")
    for file in ("coordinator", "operator"):
        for rpc in re.findall(r"^  rpc (\w+)", read("proto/saga/v1/%s.proto" % file), re.M):
            counts["names"] += 1
            if "`%s`" % rpc not in api:
                problem("docs/api.md", 1, "does not tell of the RPC %s" % rpc)
    for key in re.findall(r'add\(m, "([a-z-]+)"', read("sidecar/core/call_metadata.c")):
        for path in ("docs/api.md", "docs/participants.md"):
            counts["names"] += 1
            if "| `%s` |" % key not in read(path):
                problem(path, 1, "does not tell of the metadata %s" % key)
    rooms = re.findall(r'^    "([\w/-]+)": \(', read("tests/checks/includes.py"), re.M)
    assert len(rooms) > 10, "the table of rooms cannot be read any more"
    for room in rooms:
        counts["names"] += 1
        if "`%s/`" % room not in read("ARCHITECTURE.md"):
            problem("ARCHITECTURE.md", 1, "does not tell of the room %s/" % room)


def main():
    write = sys.argv[1:] == ["--write"]
    words = source_words()
    tables = (sagactl_words(), sagad_options(), make_targets())
    for path in tracked(".md"):
        check_quotes(path, read(path), write)
        check_document(path, words, tables)
    check_completeness()
    check_numbers()
    check_words()
    for line in problems:
        print(line)
    print("documents: %(documents)d files, %(links)d links, %(names)d names" % counts + ", %d problems" % len(problems))
    return 1 if problems or counts["documents"] == 0 else 0


sys.exit(main())
