"""What a rule raises. A door turns it into a page or problem+json; the code is stable, the sentence for people."""

from collections.abc import Sequence


class AppError(Exception):
    """`code` is stable and for machines, `detail` a full sentence for people, `errors` pairs of (field, message)."""

    status = 400
    title = "Bad request"

    def __init__(self, code: str, detail: str, *, errors: Sequence[tuple[str, str]] = (), **extra: object) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.errors = list(errors)
        self.extra = extra


class NotFound(AppError):
    """It does not exist, or this reader may not know that it does."""

    status = 404
    title = "Not found"

    def __init__(self, code: str = "not-found", detail: str = "There is nothing here that you can see.", **kw) -> None:
        super().__init__(code, detail, **kw)


class SignInNeeded(AppError):
    status = 401
    title = "Sign-in needed"

    def __init__(self, code: str = "sign-in-needed", detail: str = "Please sign in first.", **kw) -> None:
        super().__init__(code, detail, **kw)


class Forbidden(AppError):
    status = 403
    title = "Not allowed"


class Conflict(AppError):
    """Somebody else was first, or the state no longer permits it. `extra` may carry the current version."""

    status = 409
    title = "Conflict"


class TooLarge(AppError):
    status = 413
    title = "Too large"


class Invalid(AppError):
    """The input cannot be accepted; `errors` names each field."""

    status = 422
    title = "Invalid input"


class VersionMissing(AppError):
    status = 428
    title = "Version needed"


class TooMany(AppError):
    """A rolling limit is used up; `extra["retry_after"]` is in seconds."""

    status = 429
    title = "Too many requests"


def invalid(field: str, message: str, *, code: str = "invalid-field") -> Invalid:
    """The common case: one field is wrong."""
    return Invalid(code, message, errors=[(field, message)])
