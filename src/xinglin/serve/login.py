"""The login page: one small form, no script, no outside asset."""

from __future__ import annotations

import html
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from xinglin.errors import AccessError
from xinglin.serve import access
from xinglin.store import Store
from xinglin.types import DISCLAIMER

PAGE = """<!doctype html><html lang="zh"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>杏林 Xinglin</title>
<style>body{{font-family:system-ui,"Noto Sans CJK SC",sans-serif;background:#f6f4ef;color:#222;display:grid;
place-items:center;min-height:100vh;margin:0}}form{{background:#fff;padding:2rem;border-radius:12px;
box-shadow:0 2px 16px #0002;width:20rem}}h1{{font-size:1.3rem;margin:0 0 1rem}}label{{display:block;margin:.8rem 0 .2rem}}
input{{width:100%;box-sizing:border-box;padding:.6rem;border:1px solid #bbb;border-radius:6px;font-size:1rem}}
button{{margin-top:1.2rem;width:100%;padding:.7rem;border:0;border-radius:6px;background:#b4532a;color:#fff;
font-size:1rem}}.e{{color:#b00020}}small{{display:block;margin-top:1.2rem;color:#666}}</style>
<form method="post" action="/login"><h1>杏林 Xinglin · 登录 Log in</h1>{error}
<label for="name">用户名 User</label><input id="name" name="name" autocomplete="username" autofocus required>
<label for="password">密码 Password</label><input id="password" name="password" type="password"
autocomplete="current-password" required><button>登录 Log in</button><small>{disclaimer}</small></form></html>"""


def router(store: Store) -> APIRouter:
    """Return the login and logout routes."""
    pages = APIRouter(include_in_schema=False)

    def page(error: str = "", status: int = 200) -> HTMLResponse:
        shown = f'<p class="e" role="alert">{html.escape(error)}</p>' if error else ""
        notice = f"{DISCLAIMER['zh']} {DISCLAIMER['en']}"
        headers = {
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"
        }
        return HTMLResponse(PAGE.format(error=shown, disclaimer=notice), status, headers)

    @pages.get("/login")
    def form() -> HTMLResponse:
        return page()

    @pages.post("/login", response_model=None)
    def enter(
        request: Request,
        name: Annotated[str, Form(max_length=100)],
        password: Annotated[str, Form(max_length=1000)],
    ) -> HTMLResponse | RedirectResponse:
        address = request.client.host if request.client else "?"
        try:
            token = access.log_in(store, name, password, address)
        except AccessError as error:
            return page(str(error), 401)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            access.COOKIE,
            token,
            max_age=int(access.LIFETIME),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    @pages.post("/logout")
    def leave(request: Request) -> RedirectResponse:
        token = access.cookie_token(request.headers.get("cookie", ""))
        if token:
            access.log_out(store, token)
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(access.COOKIE)
        return answer

    return pages
