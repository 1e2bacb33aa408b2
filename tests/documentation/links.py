"""Reads the links and anchors of Markdown as a code host shows it, and of HTML pages as a browser does."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

CODE = re.compile(r"```.*?```|~~~.*?~~~", re.DOTALL)
SPAN = re.compile(r"(?<!`)(`+)(?!`)(?:.|\n)*?(?<!`)\1(?!`)")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
FETCHED = {"script": "src", "img": "src", "source": "src", "video": "src", "iframe": "src", "link": "href"}


def markdown_links(text):
    """Every target of a link or picture outside code, in the order of the text."""
    return LINK.findall(SPAN.sub("`code`", CODE.sub("", text)))


def markdown_anchors(text):
    """The anchors that a code host gives the headings: lower case, no punctuation, blanks as hyphens, repeats numbered."""
    found = set()
    for title in re.findall(r"^#{1,6}\s+(.+?)\s*#*$", CODE.sub("", text), re.MULTILINE):
        shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        number = 0
        while (name := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(name)
    return found


class Page(HTMLParser):
    """What a built page links to (`links`), what it fetches (`fetched`), and its anchors (`ids`)."""

    def __init__(self, text):
        super().__init__()
        self.links, self.fetched, self.ids = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids |= {found[key] for key in ("id", "name") if found.get(key)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        elif tag in FETCHED and found.get(FETCHED[tag]):
            self.fetched.append(found[FETCHED[tag]])


def broken_links(folder):
    """Every link or fetched file of the pages in a folder that leads nowhere, as `page -> target`; `/` is the folder."""
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))}
    broken = []
    for path, page in pages.items():
        for target in [*page.links, *page.fetched]:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            there = (folder if parts.path.startswith("/") else path.parent) / unquote(parts.path).lstrip("/")
            there = (there / "index.html" if there.is_dir() else there).resolve() if parts.path else path
            known = pages.get(there)
            anchor = unquote(parts.fragment)
            if not there.is_file() or (known and anchor and anchor not in known.ids):
                broken.append(f"{path.relative_to(folder.resolve())} -> {target}")
    return broken
