"""Attributes of a net that define what it computes, and therefore cannot be assigned."""

from typing import Any

from thinnet.errors import ArgumentError


class Fixed:
    """An attribute that reads a field of the net's spec, of the same name or `field`.

    Raises:
        ArgumentError: on assignment; it says what to write instead.
    """

    def __init__(self, field: str = "") -> None:
        self.field = field

    def __set_name__(self, owner: type, name: str) -> None:
        self.name, self.field = name, self.field or name

    def __get__(self, net: Any, owner: type) -> Any:
        return self if net is None else getattr(net.spec, self.field)

    def __set__(self, net: Any, value: Any) -> None:
        raise ArgumentError(
            f"{self.name} must stay {getattr(net.spec, self.field)!r}, got an assignment of {value!r}: a net computes "
            f"what it was built with. Write net = net.replace({self.field}={value!r})."
        )
