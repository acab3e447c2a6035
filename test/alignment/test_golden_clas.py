"""The golden file of ClasHead: with an embedding, a neck and the circle softmax."""

import mindspore as ms

from test.alignment.check_golden import run_checks
from test.alignment.golden import FOLDER, GoldenFile


def test_logits_losses_and_gradients_are_the_originals():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    try:
        checks = list(run_checks(GoldenFile(FOLDER / "fastreid_clas_R18.npz")))
    finally:
        ms.set_context(mode=ms.GRAPH_MODE)
    assert not [" ".join(check.row()) for check in checks if not check.passed]
    assert {"eval.features", "basic.loss.loss_cls"} <= {check.name for check in checks}
