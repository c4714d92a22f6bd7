"""Reads HTML documents as a browser does and says what is in them, as one JSON value.

    read.py FILE...

Strict: what the HTML standard calls a parse error is listed, and so is whatever would reach outside of the document or run
in it. Needs html5lib (Debian: python3-html5lib).
"""

import json
import sys

import html5lib

ACTIVE = {"script", "link", "img", "image", "iframe", "frame", "object", "embed", "base", "form", "video", "audio",
          "source", "use", "foreignobject", "animate", "set", "a"}
REFERENCES = {"href", "src", "srcset", "action", "data", "poster", "background", "cite"}


def local(name):
    return name.rsplit("}", 1)[-1]


def elements(tree):
    return (element for element in tree.iter() if isinstance(element.tag, str))


def text(element):
    return " ".join(" ".join(element.itertext()).split())


def classes(element):
    return element.get("class", "").split()


def within(tree, tag, css=None):
    return [one for one in elements(tree) if local(one.tag) == tag and (css is None or css in classes(one))]


def reaches_out(tree):
    """Elements and attributes that load, run or lead to something else than a place in the document."""
    found = []
    for element in elements(tree):
        tag = local(element.tag).lower()
        links = {local(name).lower(): value for name, value in element.attrib.items()}
        inside = all(value.startswith("#") for name, value in links.items() if name in REFERENCES)
        if not inside or (tag in ACTIVE and not (tag == "a" and inside)):
            found.append("<%s %s>" % (tag, links))
        found += ["<%s %s>" % (tag, name) for name in links if name.startswith("on") or name == "style"]
        if tag == "style" and ("url(" in text(element) or "@import" in text(element)):
            found.append("the style sheet loads something")
    return found


def broken_references(tree):
    ids = [element.get("id") for element in elements(tree) if element.get("id")]
    wrong = ["%s twice" % name for name in set(ids) if ids.count(name) > 1]
    for element in elements(tree):
        named = [element.get(name, "").split() for name in ("aria-labelledby", "aria-describedby")]
        named.append([element.get("href")[1:]] if element.get("href", "").startswith("#") else [])
        wrong += ["no %s" % name for names in named for name in names if name not in ids]
    return wrong


def picture(svg):
    direct = [local(child.tag) for child in svg]
    shapes = {}
    for group in within(svg, "g"):
        for name in classes(group):
            shapes[name] = shapes.get(name, 0) + 1
    return {"named": direct[:2] == ["title", "desc"] and svg.get("role") == "img", "shapes": shapes, "text": text(svg)}


def connection(section):
    facts = within(section, "dl")[0]
    return {
        "id": section.get("id"),
        "heading": text(within(section, "h2")[0]),
        "outcome": classes(within(section, "span", "badge")[0])[1],
        "facts": [[text(name), text(value)] for name, value in zip(within(facts, "dt"), within(facts, "dd"))],
        "ladder": picture(within(section, "svg", "ladder")[0]),
        "timeline": picture(within(section, "svg", "timeline")[0]),
        "text": text(section),
    }


def read(path):
    with open(path, "rb") as file:
        octets = file.read()
    parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"))
    tree = parser.parse(octets, transport_encoding="utf-8")
    metas = [element.get("content") for element in within(tree, "meta")
             if element.get("http-equiv", "").lower() == "content-security-policy"]
    rows = within(tree, "tr")
    return {
        "errors": ["%s: %s %s" % error for error in parser.errors],
        "reaches_out": reaches_out(tree),
        "broken": broken_references(tree),
        "policy": metas,
        "title": text(within(tree, "title")[0]),
        "text": text(within(tree, "body")[0]),
        "listed": [[text(cell) for cell in row if local(cell.tag) in ("th", "td")] for row in rows
                   if row[0].get("data-label") == "#"],
        "connections": [connection(section) for section in within(tree, "section", "connection")],
    }


if __name__ == "__main__":
    json.dump([read(path) for path in sys.argv[1:]], sys.stdout)
