"""Both heads against torch: training outputs, gradients, evaluation, both modes."""

import unittest

import numpy as np
import torch
from mindspore import Tensor, nn, ops

from fastreid.modeling.heads import EmbeddingHead, MetaEmbeddingHead
from test.alignment.against_torch import (
    AlignmentCase,
    assert_close,
    assert_same,
    copy_weights,
    randomize,
)
from test.alignment.reference.heads import TorchHead, TorchMetaHead

COMMON = {
    "feat_dim": 8,
    "embedding_dim": 0,
    "neck_feat": "before",
    "pool_type": "GlobalAvgPool",
    "cls_type": "Linear",
    "scale": 1.0,
    "margin": 0.0,
    "with_bnneck": True,
}
PLAIN = {**COMMON, "num_classes": 5, "norm_type": "BN"}
PLAIN_VARIANTS = {
    "bagtricks": {},
    "after": {"neck_feat": "after", "scale": 3.0},
    "reduced": {"embedding_dim": 6},
    "reduced without norm": {"embedding_dim": 6, "with_bnneck": False},
    "bare": {"with_bnneck": False},
    "cosine": {"cls_type": "CosSoftmax", "scale": 16.0, "margin": 0.3, "neck_feat": "after"},
}
META = {**COMMON, "classes_per_domain": [3, 2], "neck_feat": "after"}
META_VARIANTS = {
    "two domains": {},
    "four domains": {"classes_per_domain": [2, 3, 2, 4]},
    "before": {"neck_feat": "before", "scale": 3.0},
    "reduced": {"embedding_dim": 6},
    "without norm": {"with_bnneck": False},
    "GeM": {"pool_type": "GeneralizedMeanPooling"},
    "cosine": {"cls_type": "CosSoftmax", "scale": 16.0, "margin": 0.3},
    "circle": {"cls_type": "CircleSoftmax", "scale": 8.0, "margin": 0.35},
}


class Joined(nn.Cell):
    """The training outputs side by side, so that gradients can be taken of all at once."""

    def __init__(self, head, keys):
        super().__init__(auto_prefix=False)
        self.head = head
        self.keys = keys

    def construct(self, features, targets):
        outputs = self.head(features, targets)
        parts = ()
        for key in self.keys:
            part = outputs[key]
            if key == "center_distances":
                part = part.reshape(-1, 1)
            parts = parts + (part if isinstance(part, tuple) else (part,))
        return ops.cat(parts, 1)


class Heads(AlignmentCase):
    def setUp(self):
        # Negative values occur, as they do behind the last stage.
        self.features = np.random.RandomState(0).randn(4, 8, 3, 2).astype(np.float32)

    def assert_trains(self, cell, module, keys, targets):
        joined = Joined(cell, keys).set_train()
        # Training over four rows: the neck divides by small deviations.
        assert_same(joined, module.train(), self.features, targets, tolerance=5e-5)

    def assert_evaluates(self, cell, module):
        want = module.double().eval()(torch.tensor(self.features).double()).detach().numpy()
        assert_close(cell.set_train(False)(Tensor(self.features)).asnumpy(), want, 5e-6)

    def test_embedding_head(self):
        keys = ("cls_outputs", "pred_class_logits", "features")
        for mode in self.modes():
            for variant, changes in PLAIN_VARIANTS.items():
                with self.subTest(mode=mode, variant=variant):
                    module = randomize(TorchHead({**PLAIN, **changes}))
                    cell = EmbeddingHead(**{**PLAIN, **changes})
                    copy_weights(cell, module)
                    self.assert_evaluates(cell, module)
                    self.assert_trains(cell, module, keys, np.array([0, 2, 1, 4], np.int32))

    def test_meta_embedding_head(self):
        keys = ("cls_outputs", "pred_class_logits", "center_distances", "features")
        for mode in self.modes():
            for variant, changes in META_VARIANTS.items():
                with self.subTest(mode=mode, variant=variant):
                    options = {**META, **changes}
                    module = randomize(TorchMetaHead(options))
                    cell = MetaEmbeddingHead(**options)
                    copy_weights(cell, module)
                    self.assert_evaluates(cell, module)
                    # The first and the last class among them, of several domains.
                    last = sum(options["classes_per_domain"]) - 1
                    self.assert_trains(cell, module, keys, np.array([0, last, 3, 2], np.int32))


if __name__ == "__main__":
    unittest.main()
