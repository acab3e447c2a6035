"""Students with their teachers against golden files of fast-reid and its project FastDistill."""

import mindspore as ms
import pytest

from test.alignment.test_golden import GoldenCase


class Distillation(GoldenCase):
    def test_a_batch_with_overhaul_distillation_in_pynative_mode(self):
        ms.set_context(mode=ms.PYNATIVE_MODE)
        names = self.assert_aligned("distill_overhaul_R18", "basic")
        self.assertIn("basic.loss.loss_jsdiv", names)
        self.assertIn("basic.loss.loss_overhaul", names)


@pytest.mark.zoo
class ThreeSteps(GoldenCase):
    """Two teachers each; the first is a moving average of the student."""

    def test_overhaul_distillation(self):
        names = self.assert_aligned("distill_overhaul_R18")
        self.assertIn("traj.moving median", names)

    def test_distillation_of_logits(self):
        names = self.assert_aligned("distill_js_R18")
        self.assertIn("traj.moving median", names)

    def test_distillation_of_logits_in_pynative_mode(self):
        ms.set_context(mode=ms.PYNATIVE_MODE)
        self.assert_aligned("distill_js_R18")
