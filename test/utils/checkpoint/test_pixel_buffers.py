import numpy as np
import pytest
from mindspore import Tensor, nn

from fastreid.utils.checkpoint.pixel_buffers import compare_pixel_buffers

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


@pytest.fixture
def model():
    cell = nn.Cell()
    cell.pixel_mean = Tensor(np.float32(MEAN).reshape(1, 3, 1, 1))
    cell.pixel_std = Tensor(np.float32(STD).reshape(1, 3, 1, 1))
    return cell


def buffers(mean, std):
    return {
        "pixel_mean": np.float32(mean).reshape(1, 3, 1, 1),
        "pixel_std": np.float32(std).reshape(1, 3, 1, 1),
    }


@pytest.mark.parametrize("scale", [1, 1 / 255], ids=["in 0..255", "in 0..1"])
def test_equal_values_give_no_note(model, scale):
    same = buffers(np.multiply(MEAN, scale), np.multiply(STD, scale))
    assert compare_pixel_buffers(model, same) == []


def test_other_values_are_named_with_the_key_to_set(model):
    notes = compare_pixel_buffers(model, buffers([0, 0, 0], [1, 1, 1]))
    assert notes == [
        "its pixel_mean is [0, 0, 0], the config has [123.675, 116.28, 103.53]. If the weights "
        "were trained with it, set MODEL.PIXEL_MEAN [0,0,0]",
        "its pixel_std is [1, 1, 1], the config has [58.395, 57.12, 57.375]. If the weights "
        "were trained with it, set MODEL.PIXEL_STD [1,1,1]",
    ]


def test_values_in_0_to_1_are_named_in_0_to_255(model):
    notes = compare_pixel_buffers(model, buffers([0.5, 0.5, 0.5], np.divide(STD, 255)))
    assert len(notes) == 1
    assert "its pixel_mean is [127.5, 127.5, 127.5] (written in 0..1), the config" in notes[0]
    assert notes[0].endswith("set MODEL.PIXEL_MEAN [127.5,127.5,127.5]")


@pytest.mark.parametrize("count", [1, 4])
def test_another_number_of_channels_is_named(model, count):
    odd = {"pixel_mean": np.full(count, 9.0)}
    assert "its pixel_mean is [9" in compare_pixel_buffers(model, odd)[0]


def test_a_file_or_model_without_pixel_buffers_gives_no_note(model):
    assert compare_pixel_buffers(model, {}) == []
    assert compare_pixel_buffers(nn.Cell(), buffers(MEAN, STD)) == []
