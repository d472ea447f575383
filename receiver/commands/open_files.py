"""How many connections and files the process may have open: usually 1024, of which a gate needs two for each viewer who
is asked about."""

from contextlib import suppress
from importlib import import_module
from typing import Final

ENOUGH: Final = 16_384


def allow_enough() -> None:
    """Raise our own limit, as far as we may; where we may not, and where there is none (Windows), all stays as it
    is."""
    with suppress(ImportError, OSError, ValueError):
        resource = import_module("resource")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        unlimited = resource.RLIM_INFINITY
        most = ENOUGH if hard == unlimited else min(ENOUGH, hard)
        if soft != unlimited and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
