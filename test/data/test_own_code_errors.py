"""Errors in code of users."""

import pytest

from fastreid.config import get_cfg
from fastreid.data import CommDataset, check_for_run, load_dataset
from fastreid.data.datasets import DATASET_REGISTRY, ImageDataset
from fastreid.data.samplers.build import SAMPLER_REGISTRY, build_train_sampler
from fastreid.data.transforms.own_transform import TRANSFORM_REGISTRY, build_own_transforms
from fastreid.utils.messages.own_code import locating_errors


def fail(error):
    if isinstance(error, Exception):
        raise error
    return error()


@pytest.fixture
def register(own_registries):
    def add(train, *, in_constructor=False):
        class Faulty(ImageDataset):
            def __init__(self, **kwargs):
                super().__init__(train() if in_constructor else train, [], [], **kwargs)

        DATASET_REGISTRY.register(Faulty)

    return add


@pytest.mark.parametrize("in_constructor", [True, False], ids=["constructor", "function"])
@pytest.mark.parametrize(
    ("error", "reported"),
    [
        (RuntimeError("no data"), "RuntimeError: no data"),
        (AssertionError(), "AssertionError: AssertionError"),
        (lambda: int("x"), "ValueError: invalid literal for int() with base 10: 'x'"),
        (lambda: {}["split"], "KeyError: split"),
        (lambda: [][0], "IndexError: list index out of range"),
    ],
)
def test_an_error_in_a_users_class_names_file_and_line(register, error, reported, in_constructor):
    register(lambda: fail(error), in_constructor=in_constructor)
    (fault,) = check_for_run(get_cfg(), "Faulty", uses=["train"]).faults
    assert fault.startswith(f"Data set Faulty fails with {reported} ({__file__}, line ")
    with pytest.raises(ValueError, match="Data set Faulty fails with") as info:
        load_dataset(get_cfg(), "Faulty").train  # noqa: B018
    assert type(info.value.__cause__).__name__ == reported.partition(":")[0]


def test_an_error_that_explains_itself_stays_as_it_is(register):
    register(lambda: fail(ValueError("the list of my data is empty")))
    assert check_for_run(get_cfg(), "Faulty", uses=["train"]).faults == [
        "the list of my data is empty"
    ]


def test_errors_in_the_packages_own_classes_keep_their_traceback():
    with pytest.raises(KeyError), locating_errors("X", ImageDataset):
        fail(lambda: {}["x"])


def test_errors_in_constructors_of_samplers_and_transforms_name_file_and_line(own_registries):
    def make(*_):
        raise RuntimeError("no list of colours")

    SAMPLER_REGISTRY.register(make, name="Own")
    TRANSFORM_REGISTRY.register(make, name="Own")
    cfg = get_cfg()
    cfg.DATALOADER.SAMPLER_TRAIN = "Own"
    reported = rf"Own fails with RuntimeError: no list of colours \({__file__}, line \d+\)"
    with pytest.raises(ValueError, match=f"The sampler {reported}"):
        build_train_sampler(cfg, CommDataset([("a.jpg", "x", "y")]))
    with pytest.raises(ValueError, match=f"The transform {reported}"):
        build_own_transforms(cfg, ["Own"])
