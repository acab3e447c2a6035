"""Hash the names and shapes of a backbone's tensors, at every depth, in a checkout of fast-reid.

    python test/alignment/make_shape_table.py --original fast-reid \\
        --backbone build_regnet_backbone --depths 200x 200y --out test/golden/shapes_regnet.json

Writes, for each depth, the number of tensors, the number of trained values and the hash of
`test.golden.shape_table.hash_of`. Batch counters are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

# The checkout, whose package has the name of ours, goes before it later.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from test.alignment.original import import_original
from test.golden.shape_table import row_of


def row_of_original(modules, backbone: str, depth: str) -> dict[str, int | str]:
    """Build a backbone of the original and summarise its tensors."""
    from fastreid.modeling.backbones import build_backbone

    cfg = modules.get_cfg()
    cfg.merge_from_list(
        ["MODEL.BACKBONE.NAME", backbone, "MODEL.BACKBONE.DEPTH", depth]
        + ["MODEL.BACKBONE.PRETRAIN", "False"]
    )
    model = build_backbone(cfg)
    shapes = {
        name: tuple(value.shape)
        for name, value in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    return row_of(shapes, {name for name, _ in model.named_parameters()})


def main() -> int:
    """Write one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--original", type=Path, required=True, help="the checkout of fast-reid")
    parser.add_argument("--backbone", required=True, help="MODEL.BACKBONE.NAME")
    parser.add_argument("--depths", nargs="+", required=True, help="MODEL.BACKBONE.DEPTH of each")
    parser.add_argument("--out", type=Path, required=True, help="the file to write (.json)")
    args = parser.parse_args()
    out, original = args.out.resolve(), args.original.resolve()
    modules = import_original(original)
    # The original reads some of its tables by paths relative to its root.
    os.chdir(original)
    table = {depth: row_of_original(modules, args.backbone, depth) for depth in args.depths}
    out.write_text(json.dumps(table, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
