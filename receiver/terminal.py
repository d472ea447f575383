"""Text that goes to a terminal, which obeys control characters."""


def printable(text: str, keep: str = "") -> str:
    """The text with control characters shown as escapes, but for those in `keep`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)
