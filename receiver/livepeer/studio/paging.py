"""Lists of the Studio API, page by page (FACTS 9).

The next page is named by a cursor in the header `Link`. Of that only the cursor is taken: the API decides what comes
next, not where it is asked. On the lists of webhooks and of their log the header is there on the last page, too, its
cursor then `undefined`.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final
from urllib.parse import parse_qs, urlsplit

from pydantic import JsonValue

from receiver.livepeer.studio.asking import Answer
from receiver.livepeer.studio.failures import PagesEndless, Unavailable

_NEXT: Final = re.compile(r'<([^<>]{0,4000})>\s*;[^,<>]{0,200}?rel="?next"?')
_NONE: Final = frozenset({"", "undefined", "null"})
_LONGEST_CURSOR: Final = 1000


def next_cursor(link: str) -> str | None:
    """The cursor of the page after this one; None on the last."""
    found = _NEXT.search(link)
    if found is None:
        return None
    try:
        cursors = parse_qs(urlsplit(found[1]).query).get("cursor", [])
    except ValueError:
        return None
    cursor = cursors[0] if cursors else ""
    return None if cursor in _NONE or len(cursor) > _LONGEST_CURSOR else cursor


async def pages(ask: Callable[[str | None], Awaitable[Answer]], most: int) -> AsyncIterator[list[JsonValue]]:
    """The pages of a list, `ask` giving that of a cursor, the first without. It ends with the last page, an empty one,
    or a cursor that was there before. Raises StudioError; PagesEndless behind `most` pages."""
    cursor: str | None = None
    seen: set[str | None] = set()
    for _ in range(most):
        seen.add(cursor)
        answer = await ask(cursor)
        if not isinstance(answer.value, list):
            raise Unavailable("The Studio API answered something that is no list.")
        if not answer.value:
            return
        yield answer.value
        cursor = next_cursor(answer.link)
        if cursor is None or cursor in seen:
            return
    raise PagesEndless(f"A list of the Studio API did not end within {most} pages; ask for less.")
