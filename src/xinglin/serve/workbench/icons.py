"""A few line icons drawn as inline SVG: no font, no request, the colour of the text around them."""

from __future__ import annotations

from xinglin.measure.markup import Markup, tag

PATHS = {
    "layers": "M12 3 3 7.5l9 4.5 9-4.5L12 3Z M3 12l9 4.5 9-4.5 M3 16.5 12 21l9-4.5",
    "alarm": "M12 3 2.5 20h19L12 3Z M12 10v4.5 M12 17.3v.2",
    "stop": "M8 2.8h8L21.2 8v8L16 21.2H8L2.8 16V8L8 2.8Z M12 7.5v5.5 M12 16v.2",
    "clock": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z M12 7.5V12l3 2",
    "door": "M5 21V4.5L14 3v18 M14 5.5h5V21 M3 21h18 M11 12v.2",
    "home": "M4 11.5 12 4.5l8 7 M6 10v10h12V10 M10 20v-6h4v6",
    "check": "M4.5 12.5 10 18 19.5 7",
    "cross": "M6 6l12 12 M18 6 6 18",
    "minus": "M5 12h14",
    "plus": "M12 5v14 M5 12h14",
    "ask": "M9 9.2a3.1 3.1 0 1 1 4.4 2.9c-.9.4-1.4 1-1.4 2.1 M12 17.6v.2 "
    "M12 2.8a9.2 9.2 0 1 0 0 18.4 9.2 9.2 0 0 0 0-18.4Z",
    "forbid": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z M5.7 5.7l12.6 12.6",
    "dash": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z M8 12h8",
    "flag": "M6 21V4 M6 4.5h11l-2.5 4L17 12.5H6",
    "person": "M12 3.5a4 4 0 1 0 0 8 4 4 0 0 0 0-8Z M4.5 20.5c.8-4 3.7-6 7.5-6s6.7 2 7.5 6",
    "list": "M8 6.5h12 M8 12h12 M8 17.5h12 M4 6.5h.2 M4 12h.2 M4 17.5h.2",
    "flask": "M9.5 3h5 M10.5 3v6L5 19a1.5 1.5 0 0 0 1.3 2h11.4A1.5 1.5 0 0 0 19 19l-5.5-10V3 M8 15h8",
    "shield": "M12 3 4.5 6v5.5c0 4.6 3 8 7.5 9.5 4.5-1.5 7.5-4.9 7.5-9.5V6L12 3Z M12 8v5 M12 16v.2",
    "page": "M6 3h8.5L19 7.5V21H6V3Z M14 3v5h5 M9 12.5h7 M9 16.5h7",
    "book": "M5 4.5A1.5 1.5 0 0 1 6.5 3H19v15H6.5A1.5 1.5 0 0 0 5 19.5V4.5Z "
    "M5 19.5A1.5 1.5 0 0 0 6.5 21H19v-3",
    "branch": "M12 4.5v5 M12 9.5 6 17 M12 9.5l6 7.5 M12 2.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4Z "
    "M6 17a2 2 0 1 0 0 4 2 2 0 0 0 0-4Z M18 17a2 2 0 1 0 0 4 2 2 0 0 0 0-4Z",
}


def icon(name: str, size: int = 18) -> Markup:
    """Return an icon; it says nothing to a screen reader, the words beside it do."""
    return tag(
        "svg",
        tag("path", d=PATHS[name]),
        cls="xl-icon",
        viewBox="0 0 24 24",
        width=size,
        height=size,
        fill="none",
        stroke="currentColor",
        stroke_width="1.8",
        stroke_linecap="round",
        stroke_linejoin="round",
        aria_hidden="true",
    )


def blossom(size: int = 26) -> Markup:
    """Return the mark: an apricot blossom of five petals."""
    petals = [
        tag("ellipse", cx="12", cy="6.6", rx="3.6", ry="4.4", transform=f"rotate({72 * turn} 12 12)")
        for turn in range(5)
    ]
    return tag(
        "svg",
        tag("g", petals, fill="currentColor", opacity="0.88"),
        tag("circle", cx="12", cy="12", r="2.1", fill="#fff6ea"),
        cls="xl-blossom",
        viewBox="0 0 24 24",
        width=size,
        height=size,
        aria_hidden="true",
    )
