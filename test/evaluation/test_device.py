import mindspore as ms
import numpy as np
import pytest

from fastreid.evaluation.device import DeviceProduct, choose_product
from fastreid.utils.compute_dist import DistanceRows, blas_product
from fastreid.utils.compute_dist.nearest import nearest_indices
from test.evaluation.retrieval_case import METRICS, golden_case


def test_blas_is_used_on_cpu_and_mindspore_on_a_device(monkeypatch):
    assert choose_product() is blas_product
    monkeypatch.setattr(ms, "get_context", {"device_target": "GPU"}.get)
    assert choose_product() is DeviceProduct


@pytest.mark.parametrize("metric", METRICS)
def test_products_on_a_device_equal_those_of_blas(metric, mode):
    query, gallery, _ = golden_case()
    host = DistanceRows(query, gallery, metric=metric)
    device = DistanceRows(query, gallery, metric=metric, make_product=DeviceProduct)
    largest = np.abs(host[:]).max()
    np.testing.assert_allclose(device[:], host[:], rtol=0, atol=1e-5 * largest)
    np.testing.assert_allclose(device[3:5], host[3:5], rtol=0, atol=1e-5 * largest)


@pytest.mark.parametrize("metric", METRICS)
def test_the_device_finds_the_same_neighbours(metric, mode):
    query, gallery, _ = golden_case()
    host = nearest_indices(DistanceRows(query, gallery, metric=metric), 7)
    rows = DistanceRows(query, gallery, metric=metric, make_product=DeviceProduct)
    np.testing.assert_array_equal(nearest_indices(rows, 7), host)
