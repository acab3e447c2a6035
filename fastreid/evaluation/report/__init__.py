"""What people look at after an evaluation: ranked images, curves, and a page with all of it."""

from .report import make_report

__all__ = ["make_report"]
