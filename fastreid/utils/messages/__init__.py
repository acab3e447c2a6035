"""Messages for users.

``errors`` turns user errors into one line, ``own_code`` locates errors in users' classes, ``texts``
formats names and lists.
"""
