"""Ways to damage a file, as plain values that say what is done to it.

`draw` returns one for some bytes, `apply` does it: bytes go wrong in a stream;
a JSON tree has another value, one less, or a key twice; a member of a zip
archive, or the header of safetensors, is damaged so that the file around it
stays right.
"""

from __future__ import annotations

import base64
import io
import json
import random
import struct
import warnings
import zipfile
from typing import Any

Damage = list
ABSURD = (0, 1, 0x7F, 0xFF, 0x80, 0x40)
# By name, as some can't be compared or written as JSON.
VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "zero": 0,
    "minus one": -1,
    "one": 1,
    "int32": 2**31,
    "int64": 2**63,
    "huge": 10**30,
    "half": 0.5,
    "infinite": float("inf"),
    "not a number": float("nan"),
    "empty": "",
    "long": "x" * 100_000,
    "digits": "12",
    "upwards": "../../outside",
    "absolute": "/etc/passwd",
    "nul": "\0",
    "half a pair": "\ud800",
    "list": [],
    "object": {},
    "nested": [[1, [2]], {"a": {"b": None}}],
    "many": list(range(20_000)),
}
DEEP = "deep"


def draw(data: bytes, rng: random.Random) -> Damage:
    """Draws a damage for a file."""
    kind = container(data)
    if kind and rng.random() < 0.5:
        if kind == "json":
            return ["json", *_draw_json(data, rng)]
        if kind == "safetensors":
            length = struct.unpack("<Q", data[:8])[0]
            return ["header", *_draw_json(data[8 : 8 + length], rng)]
        members = _members(data)
        name = rng.choice(list(members))
        if rng.random() < 0.2:
            return ["member", name, rng.choice(("gone", "twice", "other"))]
        return ["member", name, draw(members[name], rng)]
    return ["bytes", *_draw_bytes(data, rng)]


def apply(damage: Damage, data: bytes) -> bytes:
    """Returns the damaged file; what doesn't fit it changes nothing."""
    kind, *what = damage
    try:
        if kind == "json":
            return _apply_json(data, *what)
        if kind == "header":
            length = struct.unpack("<Q", data[:8])[0]
            header = _apply_json(data[8 : 8 + length], *what)
            return struct.pack("<Q", len(header)) + header + data[8 + length :]
        if kind == "member":
            return _apply_member(data, *what)
        return _apply_bytes(data, *what)
    except Exception:
        return data


def container(data: bytes) -> str | None:
    """Returns what can be damaged inside: json, safetensors, zip, or None."""
    if data[:2] == b"PK":
        return "zip" if _members(data) else None
    if data[:1] in (b"{", b"["):
        return "json"
    return "safetensors" if data[8:9] == b"{" else None


def _members(data: bytes) -> dict[str, bytes]:
    """Returns the members of a zip archive, none if it is damaged already."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except Exception:
        return {}


def _draw_bytes(data: bytes, rng: random.Random) -> list:
    place = rng.randrange(max(1, len(data)))
    # Heads of files are what decides on sizes.
    if rng.random() < 0.5:
        place = rng.randrange(max(1, min(len(data), 2048)))
    kind = rng.choice(
        ("cut", "flip", "wild", "remove", "copy", "noise", "digits", "swap")
    )
    if kind == "flip":
        places = [place, *(rng.randrange(len(data) or 1) for _ in range(7))]
        count = rng.randint(1, 8)
        return [kind, [(p, rng.randrange(8)) for p in places[:count]]]
    if kind == "wild":
        width = rng.choice((1, 2, 4, 8))
        return [kind, place, [rng.choice(ABSURD) for _ in range(width)]]
    if kind == "remove":
        return [kind, place, rng.randint(1, 64)]
    if kind in ("copy", "swap"):
        other = rng.randrange(len(data) or 1)
        return [kind, place, other, rng.randint(1, 256)]
    if kind == "noise":
        noise = rng.randbytes(rng.randint(1, 32))
        return [kind, place, base64.b64encode(noise).decode()]
    if kind == "digits":
        digits = [i for i, b in enumerate(data[:4096]) if 48 <= b < 58]
        if digits:
            text = rng.choice(("9" * 18, "-1", "1e9", "0"))
            return [kind, rng.choice(digits), text]
    return ["cut", place]


def _apply_bytes(data: bytes, kind: str, *what: Any) -> bytes:
    if kind == "flip":
        flipped = bytearray(data)
        for place, bit in what[0]:
            flipped[place] ^= 1 << bit
        return bytes(flipped)
    place = what[0]
    if kind == "cut":
        return data[:place]
    if kind == "remove":
        return data[:place] + data[place + what[1] :]
    if kind == "digits":
        return data[:place] + what[1].encode() + data[place + 1 :]
    if kind == "copy":
        piece = data[what[1] : what[1] + what[2]]
        return data[:place] + piece + data[place:]
    if kind == "swap":
        first, second = sorted(what[:2])
        length = min(what[2], second - first, len(data) - second)
        return b"".join(
            (
                data[:first],
                data[second : second + length],
                data[first + length : second],
                data[first : first + length],
                data[second + length :],
            )
        )
    new = bytes(what[1]) if kind == "wild" else base64.b64decode(what[1])
    return data[:place] + new + data[place + len(new) :]


def _nodes(tree: Any, path: tuple = ()) -> list[tuple]:
    """Returns the paths of all values in a JSON tree."""
    found = [path]
    items: Any = ()
    if isinstance(tree, dict):
        items = tree.items()
    elif isinstance(tree, list):
        items = enumerate(tree)
    for key, value in items:
        found += _nodes(value, (*path, key))
    return found


def _draw_json(data: bytes, rng: random.Random) -> list:
    try:
        tree = json.loads(data)
        nodes = _nodes(tree)
    except (ValueError, RecursionError):
        return ["set", [], "null"]
    # As likely near the root as far below it.
    depth = rng.randint(0, max(len(path) for path in nodes))
    path = list(rng.choice([p for p in nodes if len(p) == depth] or nodes))
    kind = rng.choice(("set", "set", "set", "delete", "from", "twice", "key"))
    if kind == "set":
        return [kind, path, rng.choice([*VALUES, DEEP])]
    if kind == "from":
        return [kind, path, list(rng.choice(nodes))]
    if kind == "twice":
        return [kind, path, rng.choice(list(VALUES))]
    return [kind, path]


def _apply_json(data: bytes, kind: str, path: list, value: Any = None) -> bytes:
    tree = json.loads(data)
    mark = "a value that the text has in its place"
    if kind == "set":
        new = mark if value == DEEP else VALUES[value]
    elif kind == "from":
        new = _at(tree, value)
    if not path:
        if kind in ("set", "from"):
            tree = new
    else:
        parent, key = _at(tree, path[:-1]), path[-1]
        if kind == "delete":
            del parent[key]
        elif kind == "key":
            parent["another"] = parent.pop(key)
        elif kind == "twice":
            parent[mark] = VALUES[value]
        else:
            parent[key] = new
    text = json.dumps(tree, ensure_ascii=True)
    if kind == "twice" and path:
        text = text.replace(json.dumps(mark), json.dumps(str(path[-1])))
    depth = 50_000
    text = text.replace(json.dumps(mark), "[" * depth + "]" * depth)
    return text.encode()


def _at(tree: Any, path: list) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def _apply_member(data: bytes, name: str, what: Any) -> bytes:
    result = io.BytesIO()
    with (
        zipfile.ZipFile(result, "w") as archive,
        warnings.catch_warnings(),
    ):
        # Of two members with one name.
        warnings.simplefilter("ignore", UserWarning)
        for member, content in _members(data).items():
            if member != name:
                archive.writestr(member, content)
            elif what == "twice":
                archive.writestr(member, content)
                archive.writestr(member, content[::-1])
            elif what == "other":
                archive.writestr(f"{member}x", content)
            elif what != "gone":
                archive.writestr(member, apply(what, content))
    return result.getvalue()
