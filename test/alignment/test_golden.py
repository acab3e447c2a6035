"""Every golden file of the repository, and the command that checks any."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from test.alignment.check_golden import run_checks
from test.alignment.golden import FOLDER, GoldenFile


class GoldenCase(unittest.TestCase):
    """Holds this toolbox to golden files."""

    def setUp(self):
        ms.set_context(mode=ms.GRAPH_MODE)
        self.addCleanup(ms.set_context, mode=ms.GRAPH_MODE)

    def assert_aligned(self, name, only=""):
        names = []
        for check in run_checks(GoldenFile(FOLDER / f"{name}.npz"), only):
            names.append(check.name)
            with self.subTest(check=check.name):
                self.assertTrue(check.passed, " ".join(check.row()))
        return names


class EverythingAroundTheNetwork(GoldenCase):
    def test_ranking_sampling_rates_and_inflation_are_the_originals(self):
        names = self.assert_aligned("misc_seed0")
        for name in ("rank.cosine.cmc", "jaccard.20.6", "sampler.balanced", "lr.multistep"):
            self.assertIn(name, names)


@pytest.mark.slow
class Dr50(GoldenCase):
    def test_evaluation_steps_and_training_are_the_originals(self):
        names = self.assert_aligned("dr50_seed0")
        for name in ("eval.features", "basic.grad worst", "meta.grad worst", "traj.delta median"):
            self.assertIn(name, names)

    def test_a_basic_step_in_pynative_mode_is_the_originals(self):
        ms.set_context(mode=ms.PYNATIVE_MODE)
        self.assert_aligned("dr50_seed0", "basic")


@pytest.mark.slow
class FastReidNetworks(GoldenCase):
    def test_bag_of_tricks(self):
        self.assert_aligned("fastreid_bagtricks_R50")

    def test_bag_of_tricks_with_instance_norm(self):
        self.assert_aligned("fastreid_bagtricks_R50-ibn")

    def test_agw_with_non_local_blocks(self):
        self.assert_aligned("fastreid_AGW_R50")

    def test_stronger_baseline_with_circle_softmax_and_learned_pooling(self):
        self.assert_aligned("fastreid_sbs_R50-ibn")


@pytest.mark.zoo
class Zoo(GoldenCase):
    def setUp(self):
        super().setUp()
        ms.set_context(mode=ms.PYNATIVE_MODE)

    def test_mgn(self):
        self.assert_aligned("fastreid_mgn_R50-ibn")


class Command(unittest.TestCase):
    """`check_golden.py` as its user calls it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_command(self, path, *arguments):
        script = Path(__file__).parent / "check_golden.py"
        command = [sys.executable, str(script), "--golden", str(path), *arguments]
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=120
        )

    def changed(self, **changes):
        with np.load(FOLDER / "misc_seed0.npz", allow_pickle=False) as data:
            content = {name: data[name] for name in data.files}
        for name, value in changes.items():
            content[name.replace("__", ".").replace("meta.", "meta/")] = value
        path = self.folder / "changed.npz"
        np.savez(path, **content)
        return path

    def test_a_file_that_agrees_passes(self):
        result = self.run_command(FOLDER / "misc_seed0.npz", "--only", "rank", "--mode", "pynative")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("8 checks pass", result.stdout)
        self.assertRegex(result.stdout, r"rank\.cosine\.ap +\S+ +- +\S+ +pass")

    def test_a_number_that_differs_fails(self):
        with np.load(FOLDER / "misc_seed0.npz") as data:
            precision = data["rank.cosine.ap"]
        precision[3] += 1e-3
        result = self.run_command(self.changed(rank__cosine__ap=precision), "--only", "rank.cosine")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stdout, r"rank\.cosine\.ap +1\.00e-03 .*FAIL")
        self.assertIn("1 of 4 checks failed", result.stdout)

    def test_the_seed_is_read_from_the_file(self):
        result = self.run_command(self.changed(meta__seed=np.int64(1)), "--only", "sampler")
        self.assertEqual(result.returncode, 1)
        self.assertIn("4 of 4 checks failed", result.stdout)

    def test_an_unknown_or_missing_device_is_named(self):
        path = FOLDER / "misc_seed0.npz"
        for device, message in (("tpu", "'tpu' is unknown"), ("gpu", "finds only ['CPU']")):
            with self.subTest(device=device):
                result = self.run_command(path, "--device", device)
                self.assertEqual(result.returncode, 2)
                self.assertIn(message, result.stderr)
                self.assertNotIn("Traceback", result.stderr)

    def test_what_cannot_be_checked_is_named(self):
        text = self.folder / "text.npz"
        text.write_text("no archive")
        for path, arguments, message in (
            (self.folder / "gone.npz", (), "does not exist"),
            (text, (), "is not a golden file"),
            (self.changed(meta__kind=np.array("other")), (), "of kind 'other'; known are"),
            (FOLDER / "misc_seed0.npz", ("--only", "rnk"), "No check of .* starts with 'rnk'"),
        ):
            with self.subTest(message=message):
                result = self.run_command(path, *arguments)
                self.assertEqual(result.returncode, 2)
                self.assertRegex(result.stderr, message)
                self.assertEqual(result.stdout, "")


if __name__ == "__main__":
    unittest.main()
