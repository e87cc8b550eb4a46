"""Keycloak, with a realm that has what Slipway's documentation asks for: roles, an audience, a service account, a
client for the CLI."""

import copy
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

from .process import DEPS, PREPARED, Process, Service, free_port

DISTRIBUTION = DEPS / "keycloak"
REALM = "slipway"
USERS = {"scientist": ["data-science"], "analyst": [], "creator": [], "keeper": ["slipway-admin"]}
PASSWORD = "for-tests-only"
SERVICE_CLIENT, SERVICE_SECRET = "slipway-service", "service-secret-for-tests"
AUDIENCE_MAPPER = {
    "name": "audience",
    "protocol": "openid-connect",
    "protocolMapper": "oidc-audience-mapper",
    "config": {"included.custom.audience": "slipway", "access.token.claim": "true", "id.token.claim": "false"},
}


def realm(name: str = REALM) -> dict:
    client = {"protocol": "openid-connect", "enabled": True, "protocolMappers": [AUDIENCE_MAPPER]}
    return {
        "realm": name,
        "enabled": True,
        "sslRequired": "none",
        "accessTokenLifespan": 600,
        "roles": {
            "realm": [{"name": "data-science"}, {"name": "slipway-admin"}],
            "client": {"slipway": [{"name": "scorer"}]},
        },
        "clients": [
            {
                **client,
                "clientId": "slipway",
                "bearerOnly": False,
                "publicClient": True,
                "directAccessGrantsEnabled": True,
                "standardFlowEnabled": False,
            },
            {
                **client,
                "clientId": "other-app",
                "publicClient": True,
                "directAccessGrantsEnabled": True,
                "standardFlowEnabled": False,
                "protocolMappers": [],
            },
            {
                **client,
                "clientId": "slipway-cli",
                "publicClient": True,
                "standardFlowEnabled": False,
                "attributes": {
                    "oauth2.device.authorization.grant.enabled": "true",
                    "oauth2.device.polling.interval": "1",
                },
            },
            {
                **client,
                "clientId": "robot",
                "publicClient": False,
                "secret": "robot-secret-for-tests",
                "serviceAccountsEnabled": True,
                "standardFlowEnabled": False,
            },
            {
                **client,
                "clientId": SERVICE_CLIENT,
                "publicClient": False,
                "secret": SERVICE_SECRET,
                "serviceAccountsEnabled": True,
                "standardFlowEnabled": False,
            },
        ],
        "users": [
            *(
                {
                    "username": name,
                    "enabled": True,
                    "email": f"{name}@example.com",
                    "emailVerified": True,
                    "firstName": name,
                    "lastName": "Test",
                    "credentials": [{"type": "password", "value": PASSWORD}],
                    "realmRoles": roles,
                }
                for name, roles in USERS.items()
            ),
            {
                "username": f"service-account-{SERVICE_CLIENT}",
                "enabled": True,
                "serviceAccountClientId": SERVICE_CLIENT,
                "clientRoles": {"realm-management": ["view-users", "view-clients"]},
            },
        ],
    }


def prepare(home: Path) -> None:
    """Keycloak as it stands after its build, with the realm in its database."""
    shutil.copytree(DISTRIBUTION, home, copy_function=_link, ignore=shutil.ignore_patterns("data"))
    (home / "realm.json").write_text(json.dumps(realm()))
    for command in (
        ["build", "--db=dev-file", "--cache=local", "--features=device-flow"],
        ["import", "--optimized", "--file", home / "realm.json"],
    ):
        done = subprocess.run([home / "bin/kc.sh", *command], env=environment(), capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"Keycloak could not be prepared: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def environment() -> dict:
    return {
        **os.environ,
        "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
        "KC_BOOTSTRAP_ADMIN_PASSWORD": PASSWORD,
        "JAVA_OPTS_APPEND": "-Xmx512m -XX:TieredStopAtLevel=1",  # it starts in half the time
        "JAVA_HOME": java_home(),
    }


class Keycloak(Service):
    def __init__(self, folder: Path, port: int | None = None):
        self.folder, self.port = Path(folder) / "keycloak", port or free_port()
        self.home = self.folder / "home"
        # The libraries are shared; what a server writes (its database) is its own.
        if not self.home.exists():
            shutil.copytree(PREPARED / "keycloak", self.home, copy_function=_link)
        self.url = f"http://127.0.0.1:{self.port}"
        self._use(REALM)
        self.start()

    def _use(self, realm_name: str) -> None:
        self.realm, self.issuer = realm_name, f"{self.url}/realms/{realm_name}"

    def own_realm(self) -> "Keycloak":
        """The same server with a new realm like the first: what is changed there (roles, keys, users) nobody else
        sees."""
        own = copy.copy(self)
        own._use(f"realm-{uuid.uuid4().hex[:12]}")
        self._administer("POST", "", realm(own.realm))
        return own

    def start(self) -> None:
        self.process = Process(
            "keycloak",
            self.folder,
            [
                self.home / "bin/kc.sh",
                "start",
                "--optimized",
                "--http-enabled=true",
                "--hostname-strict=false",
                f"--http-port={self.port}",
                "--http-host=127.0.0.1",
            ],
            environment(),
        )
        self.process.until_answers(self.issuer + "/.well-known/openid-configuration", 240)

    def form(self, url: str, values: dict) -> dict:
        request = urllib.request.Request(url, data=urllib.parse.urlencode(values).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def token(self, user: str, client: str = "slipway") -> str:
        return self.form(
            f"{self.issuer}/protocol/openid-connect/token",
            {"grant_type": "password", "client_id": client, "username": user, "password": PASSWORD, "scope": "openid"},
        )["access_token"]

    def service_token(self, client: str = "robot", secret: str = "robot-secret-for-tests") -> str:
        return self.form(
            f"{self.issuer}/protocol/openid-connect/token",
            {"grant_type": "client_credentials", "client_id": client, "client_secret": secret},
        )["access_token"]

    def admin(self, method: str, path: str, body=None):
        """The admin API of the realm, as the bootstrap administrator."""
        return self._administer(method, f"/{self.realm}{path}", body)

    def _administer(self, method: str, path: str, body=None):
        token = self.form(
            f"{self.url}/realms/master/protocol/openid-connect/token",
            {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": PASSWORD},
        )["access_token"]
        request = urllib.request.Request(
            f"{self.url}/admin/realms{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def user_id(self, name: str) -> str:
        return self.admin("GET", f"/users?username={name}&exact=true")[0]["id"]

    def change_role(self, user: str, role: str, method: str) -> None:
        """POST grants, DELETE takes away."""
        found = self.admin("GET", f"/roles/{role}")
        self.admin(method, f"/users/{self.user_id(user)}/role-mappings/realm", [found])


def _link(source: str, target: str) -> None:
    if source.endswith((".jar", ".dll")) and "/quarkus/" not in source:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def java_home() -> str:
    """Of the JDK behind `java`: Keycloak's script asks for it."""
    return str(Path(shutil.which("java")).resolve().parent.parent)
