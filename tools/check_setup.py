"""Print what the protocols need: packages, ImageNet weights and data sets.

    python tools/check_setup.py
    python tools/check_setup.py --protocol 2 --method ACL

For each thing: whether it is there, its hash and the expected one, or where people get it. Nothing
is downloaded. The exit code is 1 if something is missing. tools/check_dataset.py checks one data
set in more detail.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastreid.utils.command_line.interrupts import end_on_ctrl_c

if __name__ == "__main__":
    # Before MindSpore is imported, which takes seconds.
    end_on_ctrl_c()

import mindspore as ms

from fastreid.config import load_config
from fastreid.protocols import METHODS, Protocol, find_method, find_protocol, read_protocol
from fastreid.protocols.setup_check import Finding, check_data, check_weights, data_folder
from fastreid.utils.collect_env import metadata_version
from fastreid.utils.command_line.command import run_command
from fastreid.utils.logger import log_to_screen

_CONFIGS = Path(__file__).resolve().parent.parent / "configs"
_OPTIONAL = {
    "h5py": "needed to read cuhk-03.mat of CUHK03: pip install h5py",
    "matplotlib": "needed for plots: pip install matplotlib",
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="check_setup.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--protocol", metavar="P", help="1, 2, 3, duke, ...; default: all")
    parser.add_argument(
        "--method", default="ACL", metavar="M", help=f"{', '.join(METHODS)}, or a YAML file"
    )
    return parser.parse_args(argv)


def packages() -> list[Finding]:
    """Check the packages and the devices."""
    devices = [target for target in ("Ascend", "GPU", "CPU") if ms.hal.is_available(target)]
    version = metadata_version("mindspore")
    found = [Finding(f"MindSpore {version}", True, (f"devices: {', '.join(devices)}",))]
    for name, purpose in _OPTIONAL.items():
        version = metadata_version(name)
        is_there = not version.startswith("<")
        found.append(Finding(f"{name} {version}", is_there, () if is_there else (purpose,)))
    return found


def show(title: str, findings: Sequence[Finding]) -> None:
    """Print a section.

    Args:
        title: its heading.
        findings: what was found.
    """
    print(f"\n{title}")
    for finding in findings:
        print(f"  [{'x' if finding.is_there else ' '}] {finding.name}")
        for line in finding.lines:
            print(f"        {line}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    args = parse_args(argv)
    log_to_screen(logging.ERROR)
    protocols = _protocols(args.protocol)
    _, config_file = find_method(args.method, _CONFIGS)
    cfg = load_config(config_file)
    names: dict[str, list[str]] = {}
    for protocol in protocols:
        for route in protocol.routes:
            for name in (*route.sources, route.target):
                users = names.setdefault(name, [])
                if protocol.name not in users:
                    users.append(protocol.name)
    data = [check_data(cfg, name, protocols) for name in names]
    data = [
        finding._replace(name=f"{finding.name} (for {', '.join(names[finding.name])})")
        for finding in data
    ]
    weights = [check_weights(cfg)]
    show("Packages", packages())
    show(f"Weights of {args.method}", weights)
    show(f"Data sets in {data_folder()}", data)
    missing = [finding.name for finding in (*weights, *data) if not finding.is_there]
    print(f"\n{len(missing)} missing" + (f": {'; '.join(missing)}" if missing else ""))
    return 1 if missing else 0


def _protocols(word: str | None) -> list[Protocol]:
    folder = _CONFIGS / "protocols"
    if word is not None:
        return [find_protocol(word, folder)]
    return [read_protocol(path) for path in sorted(folder.glob("*.yml"))]


if __name__ == "__main__":
    sys.exit(run_command(main))
