"""What a server answers instead of what was asked for, as exceptions."""

from __future__ import annotations


class SlipwayError(Exception):
    """Any refusal or failure. `status` is the HTTP status, 0 where no answer came; `detail` is what the server said."""

    def __init__(self, message: str, status: int = 0, detail=None):
        super().__init__(message)
        self.status, self.detail = status, detail


class SlipwayWarning(UserWarning):
    """What succeeded, and may have lost something all the same."""


class Invalid(SlipwayError):
    """422 or 400: the request is wrong. `fields` maps each such field ("source.filter_sql") to what is wrong there."""

    @property
    def fields(self) -> dict[str, str]:
        if not isinstance(self.detail, list):
            return {}
        return {".".join(str(part) for part in error["loc"][1:]): error["msg"] for error in self.detail}


class AuthenticationError(SlipwayError):
    """401: no key or token, or one that is not valid."""


class PermissionDenied(SlipwayError):
    """403: not yours, and none of your roles is allowed."""


class NotFound(SlipwayError):
    """404: no such deployment, run, model, version, alias or table."""


class ConflictError(SlipwayError):
    """409: the name is taken, or the state does not allow it."""


class Unavailable(SlipwayError):
    """429, 503, or no answer: later it may work."""


def error_of(status: int, detail) -> SlipwayError:
    kind = {
        400: Invalid,
        401: AuthenticationError,
        403: PermissionDenied,
        404: NotFound,
        409: ConflictError,
        422: Invalid,
        429: Unavailable,
        502: Unavailable,
        503: Unavailable,
        504: Unavailable,
    }.get(status, SlipwayError)
    if isinstance(detail, list):
        message = "; ".join(
            f"{'.'.join(str(part) for part in error.get('loc', [])[1:])}: {error.get('msg', '')}" for error in detail
        )
    else:
        message = str(detail)
    return kind(message, status, detail)
