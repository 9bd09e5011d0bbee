#!/usr/bin/env python3
"""What watches the sidecar against what it exposes: every metric that an alert, a dashboard or a runbook names exists, with its labels; every
alert has a runbook, a test that it fires and one that it is silent; and every reason that an alert goes by is one."""
import glob
import json
import os
import re
import sys

RULES, TESTS = "deploy/prometheus/sagad.rules.yaml", "deploy/prometheus/sagad.rules.test.yaml"
SUFFIXES = {"COUNTER": ["_total"], "COUNTER_KEPT": ["_total"], "GAUGE": [""], "GAUGE_MAX": [""], "HISTOGRAM": ["_bucket", "_sum", "_count"]}
OF_PROMETHEUS = {"up": {"job", "instance"}}
OF_A_SCRAPE = {"job", "instance", "le"}
problems = []


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def exposed():
    """{name as it is exposed: labels}"""
    names = dict(OF_PROMETHEUS)
    for name, kind, labels in re.findall(r'^METRIC\(\w+, "(\w+)", (\w+), "\w*", \w+, "([\w,]*)"', read("sidecar/observe/metrics.def"), re.M):
        for suffix in SUFFIXES[kind]:
            names[name + suffix] = set(filter(None, labels.split(","))) | OF_A_SCRAPE
    return names


def look(path, text, names):
    """One expression, or a text that has some."""
    for name, labels in re.findall(r"\b((?:sagad|process)_\w+|\bup\b(?=\{))(?:\{([^{}]*)\})?", text):
        if name not in names:
            problems.append("%s: there is no metric %s" % (path, name))
            continue
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*[\"']", labels):
            if label not in names[name]:
                problems.append("%s: %s has no label %s" % (path, name, label))


def look_expression(path, text, names):
    """Also the labels that it groups and joins by, each of which is one of some metric in it."""
    look(path, text, names)
    there = set().union(*(names.get(name, set()) for name in re.findall(r"\b(?:sagad|process)_\w+|\bup\b", text)))
    for labels in re.findall(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^()]*)\)", text):
        for label in filter(None, re.split(r"[\s,]+", labels)):
            if label not in there:
                problems.append("%s: nothing in it has a label %s" % (path, label))


def rule_expressions(text):
    """Of alerts, each in one piece, with the labels that its words name."""
    for alert in re.split(r"^ *- alert: ", text, flags=re.M)[1:]:
        _, expression = re.search(r"^( *)expr: *[|>]?((?:.*\n)(?:\1 +.*\n)*)", alert, re.M).groups()
        yield " ".join(expression.split()), set(re.findall(r"\$labels\.(\w+)", alert))


def look_dashboard(path, names):
    panels, ids, taken = json.loads(read(path))["panels"], set(), {}
    for variable in json.loads(read(path))["templating"]["list"]:
        look_expression("%s: variable %s" % (path, variable["name"]), variable["query"], names)
    for panel in panels:
        title = "%s: %s" % (path, panel["title"])
        for target in panel["targets"]:
            look_expression(title, target["expr"], names)
            grouped = re.search(r"\bby \(([^()]*)\)", target["expr"])
            for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                if label not in (re.split(r"[\s,]+", grouped.group(1)) if grouped else ["instance"]):
                    problems.append("%s: its legend names %s, which is grouped away" % (title, label))
        if panel["id"] in ids:
            problems.append("%s: another panel has its id" % title)
        ids.add(panel["id"])
        at = panel["gridPos"]
        for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            if cell in taken or cell[0] >= 24:
                problems.append("%s: it lies over %s" % (title, taken.get(cell, "the edge")))
                break
            taken[cell] = panel["title"]


def main():
    names = exposed()
    rules, tests = read(RULES), read(TESTS)
    alerts = re.findall(r"- alert: (\w+)", rules)
    runbooks = sorted(glob.glob("docs/runbooks/*.md"))
    look(RULES, rules, names)
    for expression, told in rule_expressions(rules):
        look_expression(RULES, expression + " by (%s)" % ", ".join(told), names)
    look(TESTS, tests, names)
    for path in runbooks:
        look(path, read(path), names)
    for path in glob.glob("deploy/kubernetes/scaling/*.yaml"):
        look(path, read(path), names)
    for path in glob.glob("deploy/grafana/*.json"):
        look_dashboard(path, names)
    for alert in alerts:
        if "runbook: sagactl runbook %s\n" % alert not in rules:
            problems.append("%s: %s does not name its runbook" % (RULES, alert))
        if 'runbook_url: "{{ with $externalLabels.runbooks_sagad }}{{ . }}/%s{{ end }}"\n' % alert not in rules:
            problems.append("%s: %s has no link to its runbook" % (RULES, alert))
        for what in ("fires", "is silent at a hiccup"):
            if "- name: %s %s\n" % (alert, what) not in tests:
                problems.append("%s: no test that %s %s" % (TESTS, alert, what))
    named = [os.path.basename(p)[:-3] for p in runbooks]
    for name in set(named) ^ set(alerts):
        problems.append("%s: %s" % (name, "a runbook without an alert" if name in named else "an alert without a runbook"))
    for path in runbooks:
        if not read(path).startswith("# %s: " % os.path.basename(path)[:-3]):
            problems.append("%s: its title is not its name" % path)
    reasons = set(re.findall(r'X\(E_\w+, -\d+, "(\w+)"', read("sidecar/base/error.h")))
    for choice in re.findall(r'_refused_total\{reason=~?"([^"]*)"', rules):
        for reason in set(choice.split("|")) - reasons:
            problems.append("%s: there is no reason %s" % (RULES, reason))
    for line in problems:
        print(line)
    print("alerts: %d alerts with runbooks and tests, %d problems" % (len(alerts), len(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
