"""What stands before the application: each guard is an ASGI middleware of one rule.

``headers`` adds security headers, ``hosts`` checks the server's name, ``rates`` limits requests a
minute, ``times`` limits the time of a request, ``bodies`` its size, ``tokens`` requires the token.
"""

from .bodies import BodyLimit
from .headers import SecurityHeaders
from .hosts import HostGuard
from .rates import RateLimit
from .refusal import refuse
from .times import TimeLimit
from .tokens import AccessToken, TokenGuard

__all__ = [
    "AccessToken",
    "BodyLimit",
    "HostGuard",
    "RateLimit",
    "SecurityHeaders",
    "TimeLimit",
    "TokenGuard",
    "refuse",
]
