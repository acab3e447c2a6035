from mindspore import nn

from fastreid.engine import CLASSIFIER_PREFIXES
from fastreid.modeling.heads import classifier_prefixes


class Heads(nn.Cell):
    """A head that names its classifier."""

    classifier_names = ("proxies",)

    def __init__(self):
        super().__init__()
        self.inner = nn.Identity()


class TwoHeads(nn.Cell):
    """A model with a second head in another place."""

    def __init__(self):
        super().__init__()
        self.heads = nn.Identity()
        self.local = Heads()


def test_classifiers_of_all_registered_heads_are_known_without_a_model():
    assert classifier_prefixes() == ("heads.weight", "heads.classifiers.", "heads.center.")
    assert classifier_prefixes() == CLASSIFIER_PREFIXES


def test_heads_in_other_places_of_a_model_add_their_classifiers():
    assert classifier_prefixes(TwoHeads()) == (*CLASSIFIER_PREFIXES, "local.proxies")
