"""Every loss against torch and against its definition in plain loops, both modes.

Value by the definition, gradient by torch in float64; small cases, and the corners: one domain, an
identity with no positive, equal distances, huge logits, the overflow of the soft margin.
"""

import math
import unittest

import numpy as np
import torch
from mindspore import nn

from fastreid.modeling.losses import (
    CrossEntropyLoss,
    TripletLoss,
    center_loss,
    cross_domain_masks,
    cross_entropy_loss,
    domain_cross_entropy_loss,
    euclidean_distances,
    focal_loss,
    hardest_pairs,
    inter_domain_loss,
    intra_domain_loss,
    pairwise_circleloss,
    pairwise_cosface,
    scatter_loss,
    soft_margin_loss,
    triplet_loss,
)
from fastreid.modeling.meta_arch.acl import BasicLosses, MetaTestLosses, MetaTrainLosses
from test.alignment import definitions
from test.alignment.against_torch import AlignmentCase
from test.alignment.reference import losses as reference
from test.alignment.running import assert_gradient, value_and_gradient, value_and_gradients

# Identity 5 has no positive but itself.
TARGETS = np.array([3, 3, 8, 8, 8, 5], np.int32)
DOMAINS = {
    "all three": np.array([0, 0, 1, 1, 1, 2], np.int32),
    "one absent": np.array([0, 0, 2, 2, 2, 2], np.int32),
    "one present": np.array([1, 1, 1, 1, 1, 1], np.int32),
}
# Global classes 0..2, 3..6 and 7..8 of three domains.
CLASSES, FIRST_LABELS = (3, 4, 2), (0, 3, 7)
GLOBAL_TARGETS = np.array([1, 0, 3, 6, 5, 8], np.int32)
SMOOTHING = {"plain": 0.0, "smooth": 0.1, "adaptive": -1.0}
ALPHA = 0.2
DOMAIN_TERMS = {
    "intra": (intra_domain_loss, definitions.intra_domain, reference.torch_intra),
    "inter": (inter_domain_loss, definitions.inter_domain, reference.torch_inter),
    "scatter": (scatter_loss, definitions.scatter, reference.torch_scatter),
}
PAIRWISE = {"circle": pairwise_circleloss, "cosface": pairwise_cosface}


def random(*shape, seed=0):
    return np.random.RandomState(seed).randn(*shape).astype(np.float32)


def routing_paths():
    """Rows of a softmax over four adaptors, four stages side by side, some domains far apart."""
    logits = 3 * np.random.RandomState(0).randn(6, 4, 4)
    weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return weights.reshape(6, 16).astype(np.float32)


def torch_gradients(function, *arrays):
    """Value and gradients of a torch function by its arrays, in float64."""
    tensors = [torch.tensor(a.astype(np.float64), requires_grad=True) for a in arrays]
    value = function(*tensors)
    value.backward()
    gradients = [np.zeros(t.shape) if t.grad is None else t.grad.numpy() for t in tensors]
    return value.item(), gradients


class LossCase(AlignmentCase):
    def assert_aligned(self, loss, arrays, constants, defined, torch_loss):
        """Value by definition, gradient of the first array by torch."""
        value, gradient = value_and_gradient(loss, *arrays, constants=constants)
        if defined is not None:
            # MindSpore's exponential on CPU is good to 2e-5.
            self.assertLessEqual(abs(value - defined), 2e-5 * max(abs(defined), 1e-6))
        rest = [torch.tensor(array) for array in arrays[1:]]
        want, (torch_gradient,) = torch_gradients(lambda x: torch_loss(x, *rest), arrays[0])
        self.assertLessEqual(abs(value - want), 2e-5 * max(abs(want), 1e-6))
        assert_gradient(gradient, torch_gradient)


class TripletLosses(LossCase):
    def test_triplet_loss(self):
        for mode in self.modes():
            for margin in (0.0, 0.3):
                for norm_feat in (False, True):
                    for hard in (False, True):
                        options = (margin, norm_feat, hard)
                        with self.subTest(mode=mode, options=options):
                            x = random(6, 5)
                            self.assert_aligned(
                                triplet_loss,
                                (x, TARGETS),
                                options,
                                definitions.triplet(x, TARGETS, *options),
                                lambda x, y, o=options: reference.torch_triplet(x, y, *o),
                            )

    def test_triplets_across_domains(self):
        def ours(x, targets, domains):
            masks = cross_domain_masks(targets, domains)
            return soft_margin_loss(*hardest_pairs(euclidean_distances(x), *masks))

        for mode in self.modes():
            for name in ("all three", "one absent"):
                with self.subTest(mode=mode, domains=name):
                    x, domains = random(6, 5), DOMAINS[name]
                    # A row without a negative is 1e9 away from one: softplus is zero there.
                    self.assert_aligned(
                        ours,
                        (x, TARGETS, domains),
                        (),
                        definitions.cross_domain_triplet(x, TARGETS, domains),
                        reference.torch_cross_domain_triplet,
                    )

    def test_equal_distances(self):
        rows, targets = np.eye(4, dtype=np.float32), np.array([0, 0, 1, 1], np.int32)
        for mode in self.modes():
            with self.subTest(mode=mode):
                value, gradient = value_and_gradient(
                    triplet_loss, rows, targets, constants=(0.0, False, True)
                )
                self.assertAlmostEqual(value, math.log(2), delta=1e-5)
                self.assertTrue(np.isfinite(gradient).all())

    def test_the_soft_margin_up_to_its_overflow_and_beyond(self):
        beyond = np.float32([200.0, 1.0, 1.0]), np.float32([0.0, 0.5, 5.0])
        within = np.float32([88.5, 1.0]), np.float32([0.0, 0.5])
        for mode in self.modes():
            with self.subTest(mode=mode):
                value, gradient = value_and_gradient(soft_margin_loss, *within)
                self.assertAlmostEqual(value, definitions.soft_margin(*within), delta=1e-3)
                assert_gradient(gradient, [0.5, 0.5 / (1 + math.exp(-0.5))])
                value, gradient = value_and_gradient(soft_margin_loss, *beyond)
                self.assertAlmostEqual(value, definitions.soft_margin(*beyond), delta=1e-4)
                assert_gradient(gradient, [1 / 3, 1 / 3, 0])


class ClassificationLosses(LossCase):
    def test_cross_entropy(self):
        targets = np.array([0, 3, 2, 2], np.int32)
        for mode in self.modes():
            for label, eps in SMOOTHING.items():
                for size, x in (("small", random(4, 4)), ("huge", 1e4 * random(4, 4, seed=2))):
                    with self.subTest(mode=mode, smoothing=label, logits=size):
                        self.assert_aligned(
                            cross_entropy_loss,
                            (x, targets),
                            (eps, ALPHA),
                            definitions.cross_entropy(x, targets, eps, ALPHA),
                            lambda x, y, e=eps: reference.torch_cross_entropy(x, y, e, ALPHA),
                        )

    def test_cross_entropy_by_domain(self):
        parts = [random(6, count, seed=1 + i) for i, count in enumerate(CLASSES)]
        for mode in self.modes():
            for label, eps in SMOOTHING.items():
                for rows in ([0, 1, 2, 3, 4, 5], [0, 1, 5], [2, 3, 4]):
                    with self.subTest(mode=mode, smoothing=label, rows=rows):
                        self.check_domains([part[rows] for part in parts], rows, eps)

    def check_domains(self, parts, rows, eps):
        targets = GLOBAL_TARGETS[rows]
        want, gradients = torch_gradients(
            lambda *x: reference.torch_domain_cross_entropy(
                x, torch.tensor(targets), FIRST_LABELS, eps, ALPHA
            ),
            *parts,
        )
        defined = definitions.domain_cross_entropy(parts, targets, FIRST_LABELS, eps, ALPHA)
        self.assertAlmostEqual(want, defined, delta=1e-6)

        def ours(first, second, third, labels):
            blocks = (first, second, third)
            return domain_cross_entropy_loss(blocks, labels, FIRST_LABELS, eps, ALPHA)

        value, found = value_and_gradients(ours, *parts, targets, count=len(parts))
        self.assertAlmostEqual(value, want, delta=2e-5)
        for gradient, expected in zip(found, gradients):
            # Probabilities minus targets: their rounding is that of numbers near one.
            np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-6)

    def test_focal_loss(self):
        x, targets = random(4, 3), np.array([0, 2, 1, 2], np.int32)
        for mode in self.modes():
            for gamma in (0.0, 0.5, 2.0):
                with self.subTest(mode=mode, gamma=gamma):
                    self.assert_aligned(
                        focal_loss,
                        (x, targets),
                        (0.25, gamma),
                        float(definitions.focal(x, targets, 0.25, gamma).mean()),
                        lambda x, y, g=gamma: reference.torch_focal(x, y, 0.25, g),
                    )


class PairwiseLosses(LossCase):
    def test_circle_and_cosface(self):
        targets = np.array([0, 0, 1, 1, 1, 2], np.int32)
        for mode in self.modes():
            for kind, loss in PAIRWISE.items():
                for margin, gamma in ((0.25, 1.0), (0.35, 64.0)):
                    with self.subTest(mode=mode, loss=kind, gamma=gamma):
                        x = random(6, 10)

                        def in_torch(x, y, kind=kind, options=(margin, gamma)):
                            return reference.torch_pairwise(kind, x, y, *options)

                        defined = definitions.pairwise(kind, x, targets, margin, gamma)
                        self.assert_aligned(loss, (x, targets), (margin, gamma), defined, in_torch)


class DomainLosses(LossCase):
    def test_losses_on_paths_and_scatter(self):
        for mode in self.modes():
            for name, (loss, defined, in_torch) in DOMAIN_TERMS.items():
                for batch, domains in DOMAINS.items():
                    with self.subTest(mode=mode, loss=name, batch=batch):
                        x = routing_paths()
                        value = defined(x, domains)
                        self.assert_aligned(loss, (x, domains), (3,), value, in_torch)

    def test_center_loss(self):
        distances = np.abs(random(3)) + 1
        targets = np.array([3, 0, 3], np.int32)
        for mode in self.modes():
            with self.subTest(mode=mode):
                defined = definitions.center(distances, targets, 4)
                self.assert_aligned(
                    center_loss,
                    (distances,),
                    (4,),
                    defined,
                    lambda x: reference.torch_center(x, torch.tensor(targets), 4),
                )


def criteria():
    """Phase -> our criterion, and the same sum of losses in torch."""
    triplet = TripletLoss(margin=0.3, norm_feat=False, hard_mining=True, scale=0.7)
    entropy = CrossEntropyLoss(eps=0.1, alpha=ALPHA, scale=0.5, first_labels=FIRST_LABELS)

    def on_paths(paths, domains):
        return reference.torch_intra(paths, domains) + reference.torch_inter(paths, domains)

    def basic(features, paths, logits, distances, targets, domains):
        classes = reference.torch_domain_cross_entropy(logits, targets, FIRST_LABELS, 0.1, ALPHA)
        triplets = reference.torch_triplet(features, targets, 0.3, False, True)
        center = reference.torch_center(distances, targets, sum(CLASSES))
        return 0.5 * classes + 0.7 * triplets + on_paths(paths, domains) + 5e-4 * center

    def meta_train(features, paths, logits, distances, targets, domains):
        return (
            reference.torch_cross_domain_triplet(features, targets, domains)
            + reference.torch_identity_margin(features, targets)
            + reference.torch_scatter(features, domains)
            + on_paths(paths, domains)
        )

    def meta_test(features, paths, logits, distances, targets, domains):
        center = 1e-3 * reference.torch_center(distances, targets, sum(CLASSES))
        return (
            reference.torch_identity_margin(features, targets) + on_paths(paths, domains) + center
        )

    return {
        "basic": (BasicLosses(nn.CellList([entropy, triplet]), 3, sum(CLASSES)), basic),
        "meta-train": (MetaTrainLosses(3), meta_train),
        "meta-test": (MetaTestLosses(3, sum(CLASSES)), meta_test),
    }


class Criteria(LossCase):
    """The plain sums that ACL's three phases minimize."""

    def test_sums_and_their_gradients(self):
        domains = np.array([0, 0, 1, 1, 1, 2], np.int32)
        targets = np.array([0, 0, 3, 3, 5, 8], np.int32)
        arrays = [random(6, 5), routing_paths(), np.abs(random(6, seed=3)) + 1]
        arrays += [random(6, count, seed=4 + i) for i, count in enumerate(CLASSES)]
        labels = torch.tensor(targets), torch.tensor(domains)
        for mode in self.modes():
            for name, (criterion, in_torch) in criteria().items():
                want, gradients = torch_gradients(
                    lambda f, p, d, *logits, loss=in_torch: loss(f, p, logits, d, *labels), *arrays
                )
                value, found = self.ours(criterion, arrays, targets, domains)
                self.assertAlmostEqual(value, want, delta=2e-5 * abs(want))
                for k, (gradient, expected) in enumerate(zip(found, gradients)):
                    with self.subTest(mode=mode, phase=name, by=k):
                        if expected.any():
                            assert_gradient(gradient, expected)
                        else:
                            np.testing.assert_array_equal(gradient, 0)

    @staticmethod
    def ours(criterion, arrays, targets, domains):
        """The sum of the losses, and its gradients by all arrays."""

        def total(features, paths, distances, first, second, third, labels, of_domains):
            outputs = {
                "features": features,
                "paths": paths,
                "center_distances": distances,
                "cls_outputs": (first, second, third),
            }
            return sum(criterion(outputs, labels, of_domains))

        return value_and_gradients(total, *arrays, targets, domains, count=len(arrays))


if __name__ == "__main__":
    unittest.main()
