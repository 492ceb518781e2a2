"""Beyond this machine: login, session, CSRF, rate limit; on this machine: no foreign page gets through."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie

import httpx
import pytest
import websockets
from fastapi import WebSocket
from sqlalchemy import func, select

from tests.serve.conftest import PATIENT, count, ledger_of, running
from xinglin.apps.diagnosis.differential import Differential
from xinglin.errors import AccessError, ConfigurationError
from xinglin.serve import access
from xinglin.serve.app import create_app
from xinglin.store import Store, open_store
from xinglin.store.tables import attempts, sessions, users

Refused = Callable[[httpx.Response], None]
PASSWORD = "correct horse battery 马"


@pytest.fixture(scope="module")
def guarded_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path_factory.mktemp('access') / 'x.db'}")
    access.add_user(opened, "wang", PASSWORD)
    access.add_user(opened, "li", PASSWORD)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def address(differential: Differential, guarded_store: Store) -> Iterator[str]:
    app = create_app(differential, guarded_store, host="0.0.0.0", workbench=False)

    @app.websocket("/ws")
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(websocket.state.user)
        await websocket.close()

    with running(app) as served:
        yield served


@pytest.fixture(autouse=True)
def forgiven(guarded_store: Store) -> None:
    with guarded_store.write() as connection:
        connection.execute(attempts.delete())


def log_in(address: str, name: str = "wang", password: str = PASSWORD) -> httpx.Client:
    client = httpx.Client(base_url=address, timeout=30)
    answer = client.post("/login", data={"name": name, "password": password})
    assert answer.status_code == 303, answer.text
    return client


def test_it_refuses_to_listen_beyond_this_machine_without_users(
    differential: Differential, store: Store
) -> None:
    for host in ("0.0.0.0", "192.168.1.5", "::", "clinic.example", ""):
        with pytest.raises(ConfigurationError, match="add a user first"):
            create_app(differential, store, host=host, workbench=False)
    for host in ("127.0.0.1", "::1", "localhost"):
        create_app(differential, store, host=host, workbench=False)


def test_passwords_are_kept_as_argon2(guarded_store: Store) -> None:
    with guarded_store.read() as connection:
        kept = list(connection.execute(select(users.c.password)).scalars())
    assert len(kept) == 2
    assert all(item.startswith("$argon2id$") for item in kept)
    assert len(set(kept)) == 2, "the same password twice must not look the same"


@pytest.mark.parametrize(("name", "password"), [("", PASSWORD), ("x" * 101, PASSWORD), ("a", "short")])
def test_a_poor_user_is_refused(store: Store, name: str, password: str) -> None:
    with pytest.raises(ConfigurationError):
        access.add_user(store, name, password)
    assert not access.has_users(store)


def test_nothing_passes_without_a_session(address: str, refused: Refused) -> None:
    for method, path in (
        ("GET", "/api/cases"),
        ("GET", "/api/session"),
        ("GET", "/api/cases/confirmed"),
        ("GET", "/api/openapi.json"),
        ("POST", "/api/diagnose"),
        ("DELETE", "/api/cases/0123456789abcdef"),
        ("GET", "/cds-services"),
        ("POST", "/cds-services/xinglin-patient-view"),
        ("GET", "/"),
        ("GET", "/login/x"),
        ("GET", "/static/../api/cases"),
        ("GET", "//api/cases"),
        ("GET", "/API/cases"),
    ):
        answer = httpx.request(method, address + path)
        assert answer.status_code in (401, 404), (path, answer.status_code)
        refused(answer)
    page = httpx.get(address + "/", headers={"accept": "text/html"})
    assert page.status_code == 303
    assert page.headers["location"] == "/login"
    assert httpx.get(address + "/api/health").status_code == 200
    forged = httpx.get(address + "/api/cases", headers={"cookie": f"{access.COOKIE}=forged"})
    assert forged.status_code == 401


def test_the_cookie_and_what_is_kept_of_it(address: str, guarded_store: Store) -> None:
    client = httpx.Client(base_url=address)
    answer = client.post("/login", data={"name": "wang", "password": PASSWORD})
    assert answer.status_code == 303
    morsel = SimpleCookie(answer.headers["set-cookie"])[access.COOKIE]
    assert morsel["httponly"]
    assert morsel["samesite"].lower() == "strict"
    assert morsel["path"] == "/"
    assert int(morsel["max-age"]) == 8 * 3600
    assert not morsel["secure"], "over http a secure cookie would never come back"
    token = morsel.value
    assert len(token) >= 43
    with guarded_store.read() as connection:
        row = connection.execute(select(sessions).order_by(sessions.c.created.desc())).first()
    assert row is not None
    assert row.digest == hashlib.sha256(token.encode()).hexdigest()
    assert token not in str(row)
    assert ledger_of(guarded_store)[-1].action == "login"
    assert token not in str(ledger_of(guarded_store))


@pytest.mark.parametrize(
    ("name", "password"), [("wang", "wrong password"), ("nobody", PASSWORD), ("wang", ""), ("WANG", PASSWORD)]
)
def test_a_wrong_login_says_the_same_whatever_is_wrong(
    address: str, guarded_store: Store, name: str, password: str
) -> None:
    before = count(guarded_store, "login.refused")
    answer = httpx.post(address + "/login", data={"name": name, "password": password or " "})
    assert answer.status_code == 401
    assert "wrong user name or password" in answer.text
    assert "set-cookie" not in answer.headers
    assert count(guarded_store, "login.refused") == before + 1


def test_a_login_page_without_script_or_reflection(address: str) -> None:
    page = httpx.get(address + "/login")
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    answer = httpx.post(address + "/login", data={"name": "<b>x", "password": "y" * 20})
    assert "<b>x" not in answer.text


def test_a_session_ends_with_its_time_and_with_logout(address: str, guarded_store: Store) -> None:
    client = log_in(address)
    assert client.get("/api/session").json()["user"] == "wang"
    token = client.cookies[access.COOKIE]
    answer = client.post("/logout")
    assert answer.status_code == 303
    again = httpx.get(address + "/api/session", headers={"cookie": f"{access.COOKIE}={token}"})
    assert again.status_code == 401
    late = log_in(address)
    with guarded_store.write() as connection:
        connection.execute(sessions.update().values(expires=time.time() - 1))
    assert late.get("/api/session").status_code == 401
    log_in(address)
    with guarded_store.read() as connection:
        left = connection.execute(select(func.count()).select_from(sessions)).scalar_one()
    assert left == 1, "sessions that ended are swept at the next login"


def test_a_new_password_ends_old_sessions(address: str, guarded_store: Store) -> None:
    client = log_in(address, "li")
    access.add_user(guarded_store, "li", PASSWORD)
    assert client.get("/api/session").status_code == 401


def test_five_failures_close_the_door_for_a_user(store: Store) -> None:
    access.add_user(store, "wang", PASSWORD)
    for place in range(access.MAX_FAILURES):
        with pytest.raises(AccessError, match="wrong"):
            access.log_in(store, "wang", "wrong password", f"10.0.0.{place}")
    with pytest.raises(AccessError, match="too many"):
        access.log_in(store, "wang", PASSWORD, "10.0.0.99")


def test_five_failures_close_the_door_for_an_address(store: Store) -> None:
    access.add_user(store, "wang", PASSWORD)
    for place in range(access.MAX_FAILURES):
        with pytest.raises(AccessError, match="wrong"):
            access.log_in(store, f"nobody{place}", "wrong password", "10.0.0.1")
    with pytest.raises(AccessError, match="too many"):
        access.log_in(store, "wang", PASSWORD, "10.0.0.1")
    assert access.log_in(store, "wang", PASSWORD, "10.0.0.2")


def test_the_door_opens_again_and_a_login_clears_the_count(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    access.add_user(store, "wang", PASSWORD)
    for _ in range(2):
        for _ in range(access.MAX_FAILURES - 1):
            with pytest.raises(AccessError, match="wrong"):
                access.log_in(store, "wang", "wrong password", "10.0.0.1")
        assert access.log_in(store, "wang", PASSWORD, "10.0.0.2")
        with store.write() as connection:
            connection.execute(attempts.delete().where(attempts.c.key == "address:10.0.0.1"))
    for _ in range(access.MAX_FAILURES):
        with pytest.raises(AccessError, match="wrong"):
            access.log_in(store, "wang", "wrong password", "10.0.0.1")
    later = time.time() + access.WINDOW + 1
    monkeypatch.setattr(access.time, "time", lambda: later)
    assert access.log_in(store, "wang", PASSWORD, "10.0.0.1")


def test_guessing_at_the_same_time_gains_nothing(store: Store) -> None:
    access.add_user(store, "wang", PASSWORD)

    def guess(number: int) -> str:
        try:
            return access.log_in(store, "wang", f"guess number {number}", f"10.0.1.{number}")
        except AccessError as error:
            return str(error)

    with ThreadPoolExecutor(12) as pool:
        said = list(pool.map(guess, range(24)))
    assert sum("wrong" in item for item in said) == access.MAX_FAILURES
    assert sum("too many" in item for item in said) == 24 - access.MAX_FAILURES


def test_a_change_needs_the_csrf_token(address: str, guarded_store: Store, refused: Refused) -> None:
    client = log_in(address)
    session = client.get("/api/session").json()
    assert session.keys() == {"user", "csrf"}
    before = count(guarded_store, "prediction")
    for headers in ({}, {"x-csrf-token": "wrong"}, {"x-csrf-token": ""}, {"x-csrf-token": "ü".encode()}):
        answer = client.post("/api/diagnose", json={"text": PATIENT}, headers=headers)
        refused(answer)
        assert answer.status_code == 403
    other = log_in(address, "li").get("/api/session").json()["csrf"]
    assert other != session["csrf"]
    assert (
        client.post("/api/cases", json={"text": PATIENT}, headers={"x-csrf-token": other}).status_code == 403
    )
    hook = client.post("/cds-services/xinglin-patient-view/feedback", json={})
    assert hook.status_code == 403
    good = client.post("/api/diagnose", json={"text": PATIENT}, headers={"x-csrf-token": session["csrf"]})
    assert good.status_code == 200
    assert count(guarded_store, "prediction") == before + 1
    assert ledger_of(guarded_store)[-1].actor == "wang"


def test_each_user_has_their_own_cases(address: str) -> None:
    wang, li = log_in(address), log_in(address, "li")
    tokens = [{"x-csrf-token": item.get("/api/session").json()["csrf"]} for item in (wang, li)]
    case = wang.post("/api/cases", json={"text": PATIENT}, headers=tokens[0]).json()["id"]
    label = {"value": "I21.9", "display": "急性心肌梗死"}
    path = f"/api/cases/{case}"
    assert li.get(path).status_code == 404
    assert li.put(path + "/confirmed", json=label, headers=tokens[1]).status_code == 404
    assert li.delete(path, headers=tokens[1]).status_code == 404
    assert wang.put(path + "/confirmed", json=label, headers=tokens[0]).status_code == 204
    assert case in wang.get("/api/cases/confirmed").text
    assert li.get("/api/cases/confirmed").text == ""
    assert case not in li.get("/api/cases").text


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://["])
def test_a_foreign_origin_is_refused(
    client: httpx.Client, address: str, refused: Refused, origin: str
) -> None:
    for target in (client, log_in(address)):
        answer = target.post("/api/diagnose", json={"text": PATIENT}, headers={"origin": origin})
        refused(answer)
        assert answer.status_code == 403
    assert httpx.post(address + "/login", data={"name": "wang", "password": PASSWORD},
                      headers={"origin": origin}).status_code == 403  # fmt: skip


def test_our_own_origin_passes(client: httpx.Client) -> None:
    origin = str(client.base_url).rstrip("/")
    answer = client.post("/api/diagnose", json={"text": PATIENT}, headers={"origin": origin})
    assert answer.status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "[::1",
                                  "localhost@evil.example", "10.0.0.5"])  # fmt: skip
def test_dns_rebinding_is_refused(client: httpx.Client, refused: Refused, host: str) -> None:
    answer = client.get("/api/cases", headers={"host": host})
    refused(answer)
    assert answer.status_code in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:9", "[::1]:9"])
def test_this_machine_by_any_name_passes(client: httpx.Client, host: str) -> None:
    assert client.get("/api/cases", headers={"host": host}).status_code == 200


async def _greeting(address: str, **headers: str) -> str:
    url = address.replace("http", "ws") + "/ws"
    async with websockets.connect(url, additional_headers=headers) as socket:
        return str(await socket.recv())


def test_a_websocket_needs_a_session_and_our_own_origin(address: str) -> None:
    cookie = f"{access.COOKIE}={log_in(address).cookies[access.COOKIE]}"
    with pytest.raises(websockets.exceptions.InvalidStatus, match="403"):
        asyncio.run(_greeting(address))
    with pytest.raises(websockets.exceptions.InvalidStatus, match="403"):
        asyncio.run(_greeting(address, Cookie=f"{access.COOKIE}=forged"))
    with pytest.raises(websockets.exceptions.InvalidStatus, match="403"):
        asyncio.run(_greeting(address, Cookie=cookie, Origin="https://evil.example"))
    assert asyncio.run(_greeting(address, Cookie=cookie, Origin=address)) == "wang"


def test_a_body_over_the_limit_is_refused_as_it_comes(
    client: httpx.Client, api_store: Store, refused: Refused
) -> None:
    before = len(ledger_of(api_store))
    sent = 0

    def chunks(total: int) -> Iterator[bytes]:
        nonlocal sent
        yield b'{"text": "'
        for _ in range(total):
            sent += 1
            yield b"x" * 65536
        yield b'"}'

    # Without a Content-Length: chunked.
    answer = client.post("/api/diagnose", content=chunks(80))
    refused(answer)
    assert answer.status_code == 413
    declared = client.post("/api/diagnose", content=b"x" * (4 * 2**20 + 1))
    refused(declared)
    assert declared.status_code == 413
    assert len(ledger_of(api_store)) == before
    assert client.get("/api/health").status_code == 200
