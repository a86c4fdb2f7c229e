"""Reads and writes configs with transformers; runs in an oracle's environment.

Usage: python configuration_oracle.py FOLDER

FOLDER holds `cases.json`, a list of keywords of `LongformerConfig`, and
`ours/N/config.json`, what tf_longformer wrote for case N. For each case this
writes to FOLDER:

    read/N.json         what transformers reads from `ours/N`
    built/N.json        what transformers has in memory, built from the case
    theirs/N/           what transformers saves for it
    full/N/config.json  the same with the defaults
"""

import json
import sys
from pathlib import Path

from transformers import AutoConfig
from transformers import LongformerConfig


def main(folder: Path) -> None:
    """Writes the answers for every case in `folder`."""
    for name in ("read", "built", "theirs", "full"):
        (folder / name).mkdir()
    cases = json.loads((folder / "cases.json").read_text("utf-8"))
    for number, case in enumerate(cases):
        read = AutoConfig.from_pretrained(folder / "ours" / str(number))
        if type(read) is not LongformerConfig:
            raise TypeError(f"case {number} was read as a {type(read)}")
        built = LongformerConfig(**case)
        _dump(folder / "read" / f"{number}.json", read)
        _dump(folder / "built" / f"{number}.json", built)
        built.save_pretrained(folder / "theirs" / str(number))
        (folder / "full" / str(number)).mkdir()
        built.to_json_file(
            folder / "full" / str(number) / "config.json", use_diff=False
        )


def _dump(path: Path, config: LongformerConfig) -> None:
    path.write_text(json.dumps(config.to_dict()), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
