"""A decorator for callables that take either keyword arguments or a config."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .cfg_node import CfgNode


def configurable(
    init_func: Callable | None = None, *, from_config: Callable | None = None
) -> Callable:
    """Let a callable take a config in place of its keyword arguments.

    On an ``__init__``, ``@configurable`` uses the class's classmethod ``from_config(cfg, ...)``; on
    a function, ``@configurable(from_config=f)`` uses ``f``. Where the first argument (or ``cfg=``)
    is a `CfgNode`, ``from_config`` returns the keyword arguments, and those of the call override
    them.

    Args:
        init_func: the ``__init__`` to decorate.
        from_config: for functions, a callable from a config to keyword arguments.

    Returns:
        The decorated callable, or the decorator.

    Examples:
        >>> from fastreid.config import configurable, get_cfg
        >>> class Jitter:
        ...     @configurable
        ...     def __init__(self, *, prob: float) -> None:
        ...         self.prob = prob
        ...     @classmethod
        ...     def from_config(cls, cfg):
        ...         return {"prob": cfg.INPUT.CJ.PROB}
        >>> Jitter(prob=0.25).prob, Jitter(get_cfg()).prob, Jitter(get_cfg(), prob=1.0).prob
        (0.25, 0.5, 1.0)
    """
    if init_func is not None:
        return _configurable_init(init_func)
    if from_config is None:
        raise TypeError("configurable needs from_config=... when it decorates a function.")

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not _called_with_config(args, kwargs):
                return function(*args, **kwargs)
            return function(**_explicit_arguments(from_config, args, kwargs))

        return call

    return decorate


def _configurable_init(init_func: Callable) -> Callable:
    @functools.wraps(init_func)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if _called_with_config(args, kwargs):
            init_func(self, **_explicit_arguments(type(self).from_config, args, kwargs))
        else:
            init_func(self, *args, **kwargs)

    return init


def _called_with_config(args: tuple, kwargs: dict[str, Any]) -> bool:
    first = args[0] if args else kwargs.get("cfg")
    return isinstance(first, CfgNode)


def _explicit_arguments(
    from_config: Callable, args: tuple, kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Pass `from_config` the arguments of its signature; the others override what it returns."""
    code = getattr(from_config, "__func__", from_config).__code__
    known = set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    for_config = {name: value for name, value in kwargs.items() if name in known}
    overrides = {name: value for name, value in kwargs.items() if name not in known}
    return {**from_config(*args, **for_config), **overrides}
