from .dataset import CheckResult, check_dataset, explained, require_files, require_usable
from .findings import USES

__all__ = ["USES", "CheckResult", "check_dataset", "explained", "require_files", "require_usable"]
