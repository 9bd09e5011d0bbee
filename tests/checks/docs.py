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
    options = {"--" + name for name in re.findall(r'\{"([a-z-]+)", (?:no|required)_argument', text)}
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
    for pattern, define, source in (("numbered migrations \\(now (\\d+)\\)", "SCHEMA_VERSION", "sidecar/journal/sqlite/sqlite_inside.h"),
                                    ("its format's number \\(now (\\d+)\\)", "RECORD_FORMAT", "sidecar/journal/codec.h")):
        counts["names"] += 1
        said = re.search(pattern, read("docs/compatibility.md"))
        if said is None or said.group(1) != re.search(r"#define %s +(\d+)" % define, read(source)).group(1):
            problem("docs/compatibility.md", 1, "does not say what %s is" % define)
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
    for line in problems:
        print(line)
    print("documents: %(documents)d files, %(links)d links, %(names)d names" % counts + ", %d problems" % len(problems))
    return 1 if problems or counts["documents"] == 0 else 0


sys.exit(main())
