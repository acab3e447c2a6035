"""Whole networks with other norms than batch norms, against golden files."""

import mindspore as ms

from test.alignment.test_golden import GoldenCase


class NormsOfNetworks(GoldenCase):
    def setUp(self):
        super().setUp()
        ms.set_context(mode=ms.PYNATIVE_MODE)

    def test_group_norms_in_backbone_and_neck(self):
        self.assert_aligned("fastreid_bagtricks_R18-GN")

    def test_frozen_batch_norms_in_the_backbone(self):
        self.assert_aligned("fastreid_bagtricks_R18-FrozenBN")
