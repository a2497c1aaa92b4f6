"""How a change is refused: every Refusal carries a sentence that a person can read."""

from language import LazyString, _l


class Refusal(Exception):
    """A change or a page that is refused; `field` names the form field it belongs to, if any.

    Where `keeps_trace` is set, what was done before the refusal is committed: a counted try, an entry
    of the auth log. Nothing else may have been done by then.
    """

    status = 422
    keeps_trace = False

    def __init__(self, text: LazyString | str, *, field: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.field = field

    def __str__(self) -> str:
        return str(self.text)


class NotAllowed(Refusal):
    """Known, but not theirs to do; the sentence says who can help."""

    status = 403


class NotFound(Refusal):
    """Not there, or not to be known to be there."""

    status = 404

    def __init__(self, text: LazyString | str = "") -> None:
        super().__init__(text or _l("Check the address. It may also belong to another partner."))


class IllegalMove(Refusal):
    """The state does not allow this any more."""

    status = 409


class Stale(Refusal):
    """Somebody else saved in between."""

    status = 409


class TooMany(Refusal):
    """A limit was reached; `retry_after` seconds from now it is free again."""

    status = 429

    def __init__(self, text: LazyString | str, *, retry_after: int) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Gone(Refusal):
    """A link that no longer works; `cause` is expired, used, superseded, revoked or unknown."""

    status = 410

    def __init__(self, text: LazyString | str, *, cause: str) -> None:
        super().__init__(text)
        self.cause = cause
