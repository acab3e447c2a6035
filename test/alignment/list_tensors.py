"""List the names and shapes of a backbone's tensors, from a checkout of fast-reid, as digests.

    python test/alignment/list_tensors.py --original fast-reid --backbone build_osnet_backbone \\
        --depths x1_0 x0_75 --out test/golden/tensors_osnet.json MODEL.BACKBONE.WITH_IBN True

A backbone of a project needs the name of its folder, such as `--project FastDistill`.
Entries of an existing file are kept; those of the same words are replaced. FEAT_DIM is measured.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from pathlib import Path

import torch

# The checkout, whose package has the name of ours, goes before it later.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from test.alignment.original import import_original
from test.alignment.tensor_table import digest


def main() -> int:
    """Write one file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--original", type=Path, required=True, help="the checkout")
    parser.add_argument("--backbone", required=True, help="MODEL.BACKBONE.NAME")
    parser.add_argument("--depths", nargs="+", required=True, help="MODEL.BACKBONE.DEPTH")
    parser.add_argument("--out", type=Path, required=True, help="the file to write (.json)")
    parser.add_argument("--project", help="folder in projects/ whose package is imported")
    # After --depths, the overrides begin at the first key.
    words = sys.argv[1:]
    first = next((i for i, word in enumerate(words) if word.startswith("MODEL.")), len(words))
    args = parser.parse_args(words[:first])
    out, root = args.out.resolve(), args.original.resolve()
    modules = import_original(root)
    # fast-reid reads some tables of its networks by paths relative to its root.
    os.chdir(root)
    if args.project:
        sys.path.insert(0, str(root / "projects" / args.project))
        importlib.import_module(args.project.lower())
    from fastreid.modeling.backbones import build_backbone

    table = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}
    for depth in args.depths:
        cfg = modules.get_cfg()
        cfg.MODEL.BACKBONE.PRETRAIN = False
        options = ["MODEL.BACKBONE.NAME", args.backbone, "MODEL.BACKBONE.DEPTH", depth]
        options += words[first:]
        cfg.merge_from_list(options)
        backbone = build_backbone(cfg).eval()
        with torch.no_grad():
            width = backbone(torch.zeros(1, 3, 64, 64)).shape[1]
        tensors = backbone.state_dict().items()
        kept = {k: tuple(v.shape) for k, v in tensors if not k.endswith("num_batches_tracked")}
        table[" ".join(options)] = {"feat_dim": width, **digest(kept)}
    out.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
