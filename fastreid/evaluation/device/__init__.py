"""Distances, neighbours and ranks of features on a GPU or NPU.

``product`` multiplies with features that are kept on the device; ``block`` holds the distances of
some queries there, counts and searches them; ``positions`` finds the ranks of matches by it. Only
counts and a few distances are copied to the host, and the results equal those of the same distances
on the host.
"""

from .positions import match_positions_on_device
from .product import DeviceProduct, choose_product

__all__ = ["DeviceProduct", "choose_product", "match_positions_on_device"]
