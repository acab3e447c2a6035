"""CUHK03, in fast-reid's and ACL's form, and in that of ACL's Protocol 1."""

from .cuhk03 import CUHK03
from .cuhk03_full import CUHK03FULL

__all__ = ["CUHK03", "CUHK03FULL"]
