"""Manifests against the published schemas of Kubernetes, strictly: a field that the schema does not have is an error. Reads files of one or more
documents; a kind that is no part of Kubernetes (PodMonitor, ScaledObject) is counted, and held only against what every object has.

    manifests.py FILE...     with the Python of build/tools/manifests (scripts/setup pod)
"""
import sys

import kubernetes_validate
import yaml

VERSIONS = ("1.29", "1.37")  # the first with native sidecars, and the newest that is known
OTHERS = {"PodMonitor": "monitoring.coreos.com/v1", "ScaledObject": "keda.sh/v1alpha1"}


def problems_of(document):
    if document.get("kind") in OTHERS:
        if document.get("apiVersion") != OTHERS[document["kind"]]:
            yield "is of %s, not %s" % (document.get("apiVersion"), OTHERS[document["kind"]])
        if set(document) - {"apiVersion", "kind", "metadata", "spec"} or "name" not in document.get("metadata", {}):
            yield "is no object of Kubernetes"
        return
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield "%s: %s: %s" % (version, ".".join(str(part) for part in error.path), error.message)
        except Exception as error:  # no schema of this kind and version
            yield "%s: %s" % (version, error)


def main():
    wrong = held = others = 0
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            documents = [d for d in yaml.safe_load_all(file) if d is not None]
        for document in documents:
            others += document.get("kind") in OTHERS
            held += document.get("kind") not in OTHERS
            for problem in problems_of(document):
                wrong += 1
                print("%s: %s %s: %s" % (path, document.get("kind"), document.get("metadata", {}).get("name"), problem))
    print("manifests: %d objects against the schemas of Kubernetes %s, %d of other kinds, %d problems"
          % (held, " and ".join(VERSIONS), others, wrong))
    return 1 if wrong or held == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
