#!/usr/bin/env python3
"""Puts what was measured last into the documents: paste.py build/bench docs

The text between <!-- table --> and <!-- /table --> in performance.md becomes table.md with the plots behind it, which go to img/, and that between
<!-- peers --> and <!-- /peers --> becomes peers.md. What was not measured stays as it is."""
import os
import shutil
import sys

PLOTS = {"table": {"ratios.svg": "how far each figure is from what it must reach", "growth.svg": "CPU of a saga by the number of live ones"}}


def paste(text, name, measured):
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        sys.exit(f"paste.py: performance.md must have {begin} and {end} once each, in this order")
    return text[:text.index(begin) + len(begin)] + "\n" + measured.strip() + "\n" + text[text.index(end):]


def main():
    source, docs = sys.argv[1:3]
    page = f"{docs}/performance.md"
    with open(page) as file:
        text = file.read()
    done = []
    for name in ("table", "peers"):
        if not os.path.exists(f"{source}/{name}.md"):
            continue
        with open(f"{source}/{name}.md") as file:
            measured = file.read()
        for plot, says in PLOTS.get(name, {}).items():
            if os.path.exists(f"{source}/{plot}"):
                os.makedirs(f"{docs}/img", exist_ok=True)
                shutil.copy(f"{source}/{plot}", f"{docs}/img/{plot}")
                measured += f"\n![{says}](img/{plot})\n"
                done.append(plot)
        text = paste(text, name, measured)
        done.append(f"{name}.md")
    if not done:
        sys.exit(f"paste.py: there is nothing in {source}: run make bench first")
    with open(page, "w") as file:
        file.write(text)
    print(f"{page}: {', '.join(done)}")


if __name__ == "__main__":
    main()
