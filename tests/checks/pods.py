#!/usr/bin/env python3
"""The sidecar's container in a pod, which a component, a chart and a whole manifest write: they say the same, and what they say is so by the sidecar's
options and by what it serves. Whether Kubernetes takes them is tried by make pod-check."""
import glob
import re
import sys
from collections import Counter

FOLDER = "deploy/kubernetes/"
COMPONENT, CHART, PLAIN = FOLDER + "component/sidecar.yaml", FOLDER + "helm/sagad/templates/_sagad.tpl", FOLDER + "plain/orders.yaml"
CONFIG = FOLDER + "example/sagad.yaml"
UNITS = {"s": 1, "m": 60, "h": 3600, "MiB": 1 << 20, "GiB": 1 << 30, "Mi": 1 << 20, "Gi": 1 << 30}
problems = []


def expect(so, what):
    if not so:
        problems.append(what)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def between(path, begin, end):
    found = re.search(re.escape(begin) + r"(.*?)" + re.escape(end), read(path) + "\n", re.S)
    expect(found, "%s: nothing lies between %r and %r" % (path, begin, end))
    return found.group(1) if found else ""


def words(text):
    """What it says, in whichever of YAML's styles and order, with the values that a chart has by default."""
    text = re.sub(r"\{\{ \.image[^}]*\}\}", "registry.example/sagad:0.1.0", text)
    text = re.sub(r'\{\{ \.\w+ \| default "([^"]*)" \}\}', r"\1", re.sub(r"#.*", "", text))
    return Counter(word.rstrip(":") for word in re.findall(r"[\w./:-]+", text) if word != "-")


def number(text):
    count, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()
    return int(count) * UNITS[unit]


def option(name):
    """Its default."""
    return number(re.search(r"\(\w+, %s, [^\"]*\"\"[^\"]*\"(\w+)\"" % name, read("sidecar/config/options.def")).group(1))


def main():
    containers = {COMPONENT: between(COMPONENT, "      initContainers:\n", "      volumes:\n"),
                  CHART: between(CHART, '{{- define "sagad.container" }}', "{{- end }}").replace("    runAsNonRoot: true\n", ""),
                  PLAIN: between(PLAIN, "      initContainers:\n", "      securityContext:\n        fsGroup")}
    own = words(containers[COMPONENT])
    for path, container in containers.items():
        said = words(container)
        for word in sorted(set(said | own)):
            expect(said[word] == own[word], "%s: %s stands there %d times, in %s %d times" % (path, word, said[word], COMPONENT, own[word]))
    container, config = containers[COMPONENT], read(CONFIG)

    # The container lives as long as the pod, and ends after its service has.
    for path in (COMPONENT, PLAIN):
        grace = re.search(r"terminationGracePeriodSeconds: (\d+)", read(path))
        expect(grace and int(grace.group(1)) >= option("shutdown_grace") + 5, path + ": the pod's grace is not above shutdown_grace")
        expect("runAsNonRoot: true" in read(path), path + ": the pod may run as root")
    expect("restartPolicy: Always" in container, "without restartPolicy: Always it is no sidecar, and the pod never begins")
    expect(number(re.search(r"limits: \{memory: (\w+)\}", container).group(1)) > option("memory_bytes_max"), "the container has less than memory_bytes_max")

    # Probes and scrapes ask for what is served, where it is.
    served = set(re.findall(r'strcmp\(url, "(/\w+)"\)', read("sidecar/observe/http.c")))
    for path in glob.glob(FOLDER + "**/*", recursive=True):
        for asked in re.findall(r"\bpath: (/[\w/]*)", read(path)) if re.search(r"\.(yaml|tpl)$", path) else []:
            expect(asked in served, "%s: %s is not served" % (path, asked))
    probes = dict(re.findall(r"(\w+)Probe:[^\n]*\n\s*httpGet: \{path: (/\w+), port: sagad-http\}", container))
    expect(probes == {"startup": "/readyz", "readiness": "/readyz", "liveness": "/livez"}, "the probes ask for %s" % probes)
    port = re.search(r"http_listen: 0\.0\.0\.0:(\d+)", config).group(1)
    expect("{name: sagad-http, containerPort: %s}" % port in container, "sagad-http is not the port of http_listen, %s" % port)

    # What the configuration names lies in what is mounted, and that is there.
    mounts = dict(re.findall(r"\{name: ([\w-]+), mountPath: ([\w./-]+)", container))
    for name, volume in (("data_dir", "sagad-journal"), ("definitions_dir", "saga-definitions"), ("tls_certificate", "sagad-tls"),
                         ("tls_key", "sagad-tls"), ("tls_roots", "sagad-tls")):
        where = re.search(r"%s: (\S+)" % name, config).group(1)
        expect((where + "/").startswith(mounts.get(volume, "none") + "/"), "%s: %s is not in the volume %s" % (CONFIG, name, volume))
    socket = re.search(r'listen: \["(unix:([^"]*))"\]', config)
    expect(socket.group(2).startswith(mounts.get("sagad-socket", "none") + "/"), CONFIG + ": the socket is not in its volume")
    expect("value: \"%s\"}" % socket.group(1) in read(FOLDER + "example/orders.yaml"), "the service of the example looks for another socket")
    expect('args: ["-f", %s]' % mounts.get("sagad-config") in container, "the configuration is not where it is mounted")
    there = {COMPONENT: read(COMPONENT).split("      volumes:\n")[-1],
             CHART: between(CHART, '{{- define "sagad.volumes" }}', '{{- define "sagad.claim" }}'), PLAIN: read(PLAIN).split("      volumes:\n")[-1]}
    for path, text in there.items():
        named = set(re.findall(r"name: ([\w-]+)", text)) | ({"sagad-journal"} if path == COMPONENT else set())
        for name in set(mounts) - named:
            problems.append("%s: there is no volume %s" % (path, name))
    for path in ("component/claim.yaml", "component/emptydir.yaml"):
        expect("name: sagad-journal" in read(FOLDER + path), path + ": it is not the journal's volume")

    for line in problems:
        print(line)
    print("pods: the sidecar's container in %d files, %d problems" % (len(containers), len(problems)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
