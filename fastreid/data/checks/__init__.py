from .dataset import CheckResult, check_dataset, explained, require_files, require_sound
from .findings import USES

__all__ = ["USES", "CheckResult", "check_dataset", "explained", "require_files", "require_sound"]
