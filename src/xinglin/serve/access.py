"""Login for a workbench that listens beyond this machine: argon2, server-side sessions, CSRF, rate limit.

OWASP session management: the cookie holds a random token (HttpOnly, SameSite=Strict), the store only its
SHA-256; a session ends after eight hours. Changing requests over HTTP carry the session's CSRF token in
``X-CSRF-Token``; websockets are taken from our own origin only. A program may send the session's token as
``Authorization: Bearer`` instead of the cookie; no browser sends that by itself, so it needs no CSRF token.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, insert, select
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from xinglin.errors import AccessError, ConfigurationError
from xinglin.ledger import append
from xinglin.serve.problem import problem_at
from xinglin.store import Store
from xinglin.store.tables import attempts, sessions, users

COOKIE = "xinglin_session"
LIFETIME = 8 * 3600.0
WINDOW, MAX_FAILURES = 900.0, 5
MIN_PASSWORD = 10
OPEN_PATHS = ("/login", "/api/health", "/static/")
CHANGING = ("/api/", "/cds-services", "/v1/")
"""Where a changing request by cookie needs the CSRF token."""
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_hasher = PasswordHasher()
# Verified when the user does not exist, so that the answer takes as long either way.
_NOBODY = _hasher.hash(secrets.token_hex(16))


@dataclass(frozen=True, slots=True)
class Session:
    """A logged-in user."""

    user: str
    csrf: str


def add_user(store: Store, name: str, password: str, role: str = "clinician", *, actor: str = "cli") -> None:
    """Add or replace a user.

    Raises:
        ConfigurationError: the name is empty or the password shorter than ten characters.
    """
    if not name.strip() or len(name) > 100:
        raise ConfigurationError("user name: expected 1 to 100 characters")
    if len(password) < MIN_PASSWORD:
        raise ConfigurationError(
            f"password: expected at least {MIN_PASSWORD} characters, got {len(password)}"
        )
    with store.write() as connection:
        connection.execute(delete(users).where(users.c.name == name))
        connection.execute(delete(sessions).where(sessions.c.user == name))
        connection.execute(
            insert(users).values(
                name=name, password=_hasher.hash(password), role=role, created=str(int(time.time()))
            )
        )
        append(connection, "user.add", actor=actor, detail={"user": name, "role": role})


def has_users(store: Store) -> bool:
    """Whether anyone can log in."""
    with store.read() as connection:
        return bool(connection.execute(select(func.count()).select_from(users)).scalar())


def role_of(store: Store, name: str) -> str | None:
    """Return the role of a user, or ``None`` if there is no such user."""
    with store.read() as connection:
        role: str | None = connection.execute(select(users.c.role).where(users.c.name == name)).scalar()
    return role


def log_in(store: Store, name: str, password: str, address: str) -> str:
    """Check a password and open a session; returns the cookie's token.

    Raises:
        AccessError: wrong name or password, or five failures within fifteen minutes.
    """
    now = time.time()
    keys = (f"user:{name[:100]}", f"address:{address[:100]}")
    with store.write() as connection:
        connection.execute(delete(attempts).where(attempts.c.time < now - WINDOW))
        for key in keys:
            failed = connection.execute(
                select(func.count()).select_from(attempts).where(attempts.c.key == key)
            ).scalar_one()
            if failed >= MAX_FAILURES:
                raise AccessError("too many failed logins: wait fifteen minutes")
        # Counted before the password is looked at, so that logins at the same time count one another.
        mine = [
            connection.execute(insert(attempts).values(key=key, time=now)).inserted_primary_key
            for key in keys
        ]
        stored = connection.execute(select(users.c.password).where(users.c.name == name)).scalar()
    try:
        _hasher.verify(stored or _NOBODY, password)
        good = stored is not None
    except (VerificationError, InvalidHashError):
        good = False
    with store.write() as connection:
        if not good:
            append(connection, "login.refused", actor=name[:100] or "?")
        else:
            token = secrets.token_urlsafe(32)
            own = attempts.c.id.in_([key[0] for key in mine if key is not None])
            connection.execute(delete(attempts).where(own | (attempts.c.key == keys[0])))
            connection.execute(delete(sessions).where(sessions.c.expires < now))
            connection.execute(
                insert(sessions).values(
                    digest=_digest(token),
                    user=name,
                    csrf=secrets.token_urlsafe(32),
                    created=now,
                    expires=now + LIFETIME,
                )
            )
            append(connection, "login", actor=name)
    if not good:
        raise AccessError("wrong user name or password")
    return token


def log_out(store: Store, token: str) -> None:
    """End a session."""
    with store.write() as connection:
        connection.execute(delete(sessions).where(sessions.c.digest == _digest(token)))


def session_of(store: Store, token: str | None) -> Session | None:
    """Return the live session of a token, or ``None``."""
    if not token:
        return None
    with store.read() as connection:
        row = connection.execute(
            select(sessions.c.user, sessions.c.csrf, sessions.c.expires).where(
                sessions.c.digest == _digest(token)
            )
        ).one_or_none()
    if row is None or row.expires < time.time():
        return None
    return Session(row.user, row.csrf)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def is_loopback(host: str) -> bool:
    """Whether a listening address is reachable from this machine only."""
    return host in ("127.0.0.1", "localhost", "::1")


class Guard:
    """ASGI middleware: nothing passes without a session, except the login page and the health check.

    With ``required=False`` (loopback) requests pass as user ``local``, but only when they are addressed to
    this machine by name, so that a foreign web page cannot reach the workbench by DNS rebinding.
    """

    def __init__(self, app: ASGIApp, store: Store, required: bool) -> None:
        self.app, self.store, self.required = app, store, required

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, redirect it to the login page, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        refused = self._refuse(scope, headers)
        if refused is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif refused == "login" and "text/html" in headers.get("accept", ""):
            await RedirectResponse("/login", 303)(scope, receive, send)
        else:
            status, detail = (401, "log in first") if refused == "login" else (403, refused)
            await problem_at(scope["path"], status, "access refused", detail)(scope, receive, send)

    def _refuse(self, scope: Scope, headers: dict[str, str]) -> str | None:
        host = headers.get("host", "")
        origin = headers.get("origin")
        try:
            own, theirs = urlsplit("//" + host).hostname or "", urlsplit(origin or "").netloc
        except ValueError:
            return "the Host or Origin header cannot be read"
        changing = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        if changing and origin is not None and theirs.lower() != host.lower():
            return "requests from another origin are refused"
        if not self.required:
            if not is_loopback(own):
                return f"this workbench answers on this machine only, not as {host!r}"
            scope.setdefault("state", {})["user"] = "local"
            return None
        path = scope["path"]
        cookie = cookie_token(headers.get("cookie", ""))
        session = session_of(self.store, cookie or bearer_token(headers.get("authorization", "")))
        if session is not None:
            scope.setdefault("state", {})["user"] = session.user
            scope["state"]["csrf"] = session.csrf
            if scope["type"] == "http" and changing and cookie and path.startswith(CHANGING):
                sent = headers.get("x-csrf-token", "")
                if not hmac.compare_digest(sent.encode(), session.csrf.encode()):
                    return "the X-CSRF-Token header is missing or wrong"
            return None
        if path in OPEN_PATHS or path.startswith("/static/"):
            return None
        return "login"


def cookie_token(header: str) -> str | None:
    """Return our session token out of a Cookie header."""
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None


def bearer_token(header: str) -> str | None:
    """Return the token of an ``Authorization: Bearer`` header."""
    scheme, _, token = header.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
