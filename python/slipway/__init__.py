"""Slipway deploys registered models onto data tables.

`Client` talks to a server; the program `slipway` comes with this package.
"""

from slipway.client import Client, Deployment, Key, NewKey, Run, ServiceAccount
from slipway.errors import (
    AuthenticationError,
    ConflictError,
    Invalid,
    NotFound,
    PermissionDenied,
    SlipwayError,
    SlipwayWarning,
    Unavailable,
)

__all__ = [
    "AuthenticationError",
    "Client",
    "ConflictError",
    "Deployment",
    "Invalid",
    "Key",
    "NewKey",
    "NotFound",
    "PermissionDenied",
    "Run",
    "ServiceAccount",
    "SlipwayError",
    "SlipwayWarning",
    "Unavailable",
]
__version__ = "0.1.0"
