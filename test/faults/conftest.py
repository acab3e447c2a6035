import pytest

from . import table


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    """Print the table of faults, where any was tried."""
    if table.text():
        terminalreporter.section("faults")
        terminalreporter.write_line(table.text())
