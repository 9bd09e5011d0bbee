#!/usr/bin/env python3
"""Puts what was measured last into the documents: paste.py build/bench docs

The text between <!-- table --> and <!-- /table --> in performance.md becomes table.md, that between <!-- peers --> and <!-- /peers --> becomes
peers.md, and the plots go to img/. What was not measured stays as it is."""
import os
import shutil
import sys


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
        if os.path.exists(f"{source}/{name}.md"):
            with open(f"{source}/{name}.md") as file:
                text = paste(text, name, file.read())
            done.append(f"{name}.md")
    os.makedirs(f"{docs}/img", exist_ok=True)
    for plot in ("ratios.svg", "growth.svg"):
        if os.path.exists(f"{source}/{plot}"):
            shutil.copy(f"{source}/{plot}", f"{docs}/img/{plot}")
            done.append(plot)
    if not done:
        sys.exit(f"paste.py: there is nothing in {source}: run make bench first")
    with open(page, "w") as file:
        file.write(text)
    print(f"{page}: {', '.join(done)}")


if __name__ == "__main__":
    main()
