"""The losses of distillation against torch and against definitions in plain loops, both modes."""

import unittest
from statistics import NormalDist

import numpy as np
import torch
from mindspore import Tensor, ops
from torch.nn import functional

from fastreid.layers import BatchNorm
from fastreid.modeling.meta_arch.distillation import js_divergence, negative_means, overhaul_loss
from test.alignment.against_torch import AlignmentCase
from test.alignment.running import assert_gradient, value_and_gradient

# Scales and shifts of a norm: of both signs, and channels that are hardly ever negative.
SCALES = np.array([1.0, -0.5, 0.2, 2.0, 0.01, 0.3], np.float32)
SHIFTS = np.array([0.0, 0.3, -0.4, 1.5, 0.5, 0.92], np.float32)


def random(*shape, seed=0, scale=1.0):
    return (scale * np.random.RandomState(seed).randn(*shape)).astype(np.float32)


def torch_divergence(student, teacher, temperature):
    """The two divergences as torch computes them from softmax and log softmax."""
    total = 0
    for first, second in ((student, teacher), (teacher, student)):
        log_first = functional.log_softmax(first / temperature, 1)
        target = functional.softmax(second / temperature, 1)
        total = total + functional.kl_div(log_first, target, reduction="sum")
    return total * temperature**2 / len(student) / 2


def torch_overhaul(student, teacher, margin):
    target = torch.maximum(teacher, margin)
    squares = (student - target) ** 2
    return squares[(student > target) | (target > 0)].sum()


def float64(array, *, gradient=False):
    return torch.tensor(array.astype(np.float64), requires_grad=gradient)


class Divergence(AlignmentCase):
    def check(self, student, teacher, temperature):
        mine = float64(student, gradient=True)
        want = torch_divergence(mine, float64(teacher), temperature)
        want.backward()
        got, gradient = value_and_gradient(
            js_divergence, student, teacher, constants=(temperature,)
        )
        self.assertAlmostEqual(got, want.item(), delta=3e-6 * max(want.item(), 1))
        assert_gradient(gradient, mine.grad.numpy())

    def test_value_and_gradient_are_those_of_two_kl_divergences(self):
        for mode in self.modes():
            for temperature in (16.0, 1.0):
                with self.subTest(mode=mode, temperature=temperature):
                    self.check(random(5, 7, scale=8), random(5, 7, seed=1, scale=8), temperature)

    def test_huge_logits_stay_finite(self):
        for mode in self.modes():
            with self.subTest(mode=mode):
                self.check(random(4, 9, scale=2e3), random(4, 9, seed=1, scale=2e3), 16.0)

    def test_equal_logits_cost_nothing(self):
        logits = random(3, 6)
        got, gradient = value_and_gradient(js_divergence, logits, logits)
        self.assertEqual(got, 0)
        self.assertEqual(np.abs(gradient).max(), 0)


class Overhaul(AlignmentCase):
    def test_value_and_gradient_are_the_definitions(self):
        student, teacher = random(3, 4, 5, 2), random(3, 4, 5, 2, seed=1)
        margin = -np.abs(random(1, 4, 1, 1, seed=2))
        mine = float64(student, gradient=True)
        want = torch_overhaul(mine, float64(teacher), float64(margin))
        want.backward()
        for mode in self.modes():
            with self.subTest(mode=mode):
                got, gradient = value_and_gradient(overhaul_loss, student, teacher, margin)
                self.assertAlmostEqual(got, want.item(), delta=1e-5 * want.item())
                assert_gradient(gradient, mine.grad.numpy())

    def test_a_student_below_a_negative_target_costs_nothing(self):
        student, teacher = random(1, 1, 2, 2) * 0 - 2, random(1, 1, 2, 2) * 0 - 1
        got, _ = value_and_gradient(overhaul_loss, student, teacher, student[:, :, :1, :1] + 1.5)
        self.assertEqual(got, 0)


class Margins(unittest.TestCase):
    def margins(self, scales, shifts):
        norm = BatchNorm(len(scales))
        ops.assign(norm.gamma, Tensor(np.asarray(scales, np.float32)))
        ops.assign(norm.beta, Tensor(np.asarray(shifts, np.float32)))
        return negative_means(norm)

    def test_they_are_the_means_of_the_negative_part_of_normal_values(self):
        got = self.margins(SCALES, SHIFTS)
        self.assertEqual(got.shape, (1, 6, 1, 1))
        normal = NormalDist()
        for value, scale, shift in zip(got.ravel(), np.abs(SCALES).tolist(), SHIFTS.tolist()):
            probability = normal.cdf(-shift / scale)
            want = -3 * scale
            if probability > 0.001:
                want = shift - scale * normal.pdf(shift / scale) / probability
            self.assertAlmostEqual(float(value), want, delta=1e-6)
        drawn = np.random.RandomState(0).normal(SHIFTS[1], abs(SCALES[1]), 1_000_000)
        self.assertAlmostEqual(float(got[0, 1, 0, 0]), drawn[drawn < 0].mean(), delta=2e-3)

    def test_a_channel_without_scale_has_its_shift_if_that_is_negative(self):
        got = self.margins([0, 0, 0], [-0.5, 0.5, 0]).ravel()
        np.testing.assert_array_equal(got, np.array([-0.5, 0, 0], np.float32))


if __name__ == "__main__":
    unittest.main()
