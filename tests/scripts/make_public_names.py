"""Makes `tests/compatibility/public_names.json`, the surface of 486b773.

Names, signatures and options that users have typed may gain company and may
not go. As with the files beside it, run it with the code of that commit:

    PYTHONPATH=TREE:tests python tests/scripts/make_public_names.py FILE
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from compatibility.public_names import public_names


def main() -> None:
    """Writes the file."""
    parts = []
    for part, names in public_names().items():
        # A name a line.
        lines = ",\n".join(
            f"  {json.dumps(name)}: {json.dumps(value)}"
            for name, value in sorted(names.items())
        )
        parts.append(f" {json.dumps(part)}: {{\n{lines}\n }}")
    text = "{\n" + ",\n".join(parts) + "\n}\n"
    Path(sys.argv[1]).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
