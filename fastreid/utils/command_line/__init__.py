"""What all command-line tools share.

``command`` turns the end of a tool into an exit code and an error line, ``interrupts`` ends a tool
on Ctrl-C, ``output`` handles standard output and error that are missing or closed early.
"""
