"""Commands that pip installs beside the package."""

__all__: list[str] = []
