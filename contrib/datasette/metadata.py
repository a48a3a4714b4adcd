#!/usr/bin/env python3
"""Makes metadata.json for Datasette from docs/queries.md and the migrations, and prints it.

After a change of a view or of that page: contrib/datasette/metadata.py >contrib/datasette/metadata.json
"""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/queries.md").read_text()
# Tables that no migration of ours makes: the migrations' own list, and what Litestream adds.
OTHERS = ["_sqlx_migrations", "_litestream_lock", "_litestream_seq", "sqlite_sequence"]
# What the examples of the page leave to the reader.
PARAMETERS = {
    "'lesson'": ":room",
    "'2026-11-01'": ":from_date",
    "'2026-12-01'": ":to_date",
    "'00000000-0000-0000-0000-000000000000'": ":recording_id",
}


def plain(text):
    """Markdown without its marks."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
    return " ".join(text.replace("`", "").split())


def columns(section):
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.MULTILINE)
    return {name: plain(meaning) for name, meaning in rows}


def views():
    sections = re.split(r"^### ", PAGE.split("\n## Views and columns\n")[1], flags=re.MULTILINE)[1:]
    found = {}
    for section in sections:
        name, _, text = section.partition("\n")
        about = text.strip().split("\n\n")[0]
        found[name] = {"description": plain(about), "columns": columns(text)}
    # Two views have the columns of another, and say so.
    found["failures"]["columns"] = {**found["queue"]["columns"], "reason": "what is wrong, in a sentence"}
    found["gaps"]["columns"] = found["sessions"]["columns"]
    return found


def queries():
    examples = PAGE.split("\n## Example queries\n")[1].split("\n## ")[0]
    found = {}
    for title, sql in re.findall(r"^(\S[^\n]*):\n\n```sql\n(.*?)\n```", examples, re.MULTILINE | re.DOTALL):
        for literal, parameter in PARAMETERS.items():
            sql = sql.replace(literal, parameter)
        title = plain(title)
        name = re.sub(r"\W+", "-", title.lower()).strip("-")
        found[name] = {"title": title, "sql": sql.rstrip(";")}
    return found


def private():
    """All tables, and the views that are not public."""
    names = set(OTHERS)
    for migration in sorted((ROOT / "migrations").glob("*.sql")):
        text = migration.read_text()
        names.update(re.findall(r"^CREATE (?:TABLE|VIRTUAL TABLE)(?: IF NOT EXISTS)? (\w+)", text, re.MULTILINE))
        names.update(re.findall(r"^CREATE VIEW(?: IF NOT EXISTS)? (_\w+)", text, re.MULTILINE))
    return {name: {"hidden": True, "allow": False} for name in sorted(names)}


def main():
    about = "Recordings of SignalWire video rooms. Times are UTC, sizes are bytes, durations are seconds."
    archive = {
        "description": about,
        "tables": {**views(), **private()},
        "queries": queries(),
    }
    metadata = {"title": "room-archiver", "databases": {"archive": archive}}
    print(json.dumps(metadata, indent=2, ensure_ascii=False))


main()
