#!/usr/bin/env python3
"""What watches the sidecar against what it exposes: every metric that an alert, a dashboard or a runbook names exists, with its labels; every
alert has a runbook, a test that it fires and one that it is silent; and every reason that an alert goes by is one."""
import glob
import json
import os
import re
import sys

RULES, TESTS = "deploy/prometheus/sagad.rules.yaml", "deploy/prometheus/sagad.rules.test.yaml"
SUFFIXES = {"COUNTER": ["_total"], "GAUGE": [""], "GAUGE_MAX": [""], "HISTOGRAM": ["_bucket", "_sum", "_count"]}
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
    for name, labels in re.findall(r"\b((?:sagad|process)_\w+|\bup\b(?=\{))(?:\{([^{}]*)\})?", text):
        if name not in names:
            problems.append("%s: there is no metric %s" % (path, name))
            continue
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*[\"']", labels):
            if label not in names[name]:
                problems.append("%s: %s has no label %s" % (path, name, label))


def main():
    names = exposed()
    rules, tests = read(RULES), read(TESTS)
    alerts = re.findall(r"- alert: (\w+)", rules)
    runbooks = sorted(glob.glob("docs/runbooks/*.md"))
    look(RULES, rules, names)
    look(TESTS, tests, names)
    for path in runbooks:
        look(path, read(path), names)
    for path in glob.glob("deploy/kubernetes/scaling/*.yaml"):
        look(path, read(path), names)
    for path in glob.glob("deploy/grafana/*.json"):
        for panel in json.loads(read(path))["panels"]:
            for target in panel["targets"]:
                look("%s: %s" % (path, panel["title"]), target["expr"], names)
    for alert in alerts:
        if "runbook: sagactl runbook %s\n" % alert not in rules:
            problems.append("%s: %s does not name its runbook" % (RULES, alert))
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
