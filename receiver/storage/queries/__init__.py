"""What the API asks of the store. Lists are paged by key, never by offset."""

from typing import Any, TypeAlias

from sqlalchemy import Row

Found: TypeAlias = Row[*tuple[Any, ...]]
"""A row with the columns that its query names."""
