"""What an event is known again by."""

from hypothesis import given
from hypothesis import strategies as st

from receiver.storage.event_keys import event_key, keys_of_id

ids = st.text(min_size=1, max_size=40)


@given(ids, ids, ids, ids)
def test_each_event_of_each_webhook_has_a_key_of_its_own(event: str, other: str, webhook: str, another: str) -> None:
    """The same key for the same two names, and for no others."""
    assert (event_key(event, webhook) == event_key(other, another)) == ((event, webhook) == (other, another))


@given(ids, ids, st.text(max_size=40))
def test_an_event_is_found_whoever_brought_it(event: str, other: str, webhook: str) -> None:
    """The keys of an id enclose those of its event, and of no other."""
    lowest, highest = keys_of_id(event)
    assert lowest <= event_key(event, webhook) <= highest
    assert (lowest <= event_key(other, webhook) <= highest) == (other == event)
