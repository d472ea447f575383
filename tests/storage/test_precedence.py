"""Who gives way waits for who goes first, and not for ever."""

from threading import Thread

from receiver.storage.precedence import Precedence


def test_who_gives_way_goes_on_behind() -> None:
    """It waits until what goes first is over."""
    precedence, order = Precedence(), list[str]()

    def think() -> None:
        while precedence.taken:
            precedence.give()
        order.append("thought")

    precedence.take()
    thinking = Thread(target=think)
    thinking.start()
    order.append("answered")
    precedence.leave()
    thinking.join()
    assert order == ["answered", "thought"]


def test_who_gives_way_is_not_kept_for_ever() -> None:
    """Where deliveries never cease, it goes on beside them."""
    precedence = Precedence()
    precedence.take()
    precedence.give()
    assert precedence.taken
