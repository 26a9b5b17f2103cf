"""Pictures inside a page or a metadata entry."""

import base64
from urllib.parse import quote


def data_uri(media_type: str, data: bytes) -> str:
    """For the `src` of a picture; `media_type` as in `image/jpeg`."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def svg_uri(width: int, height: int, body: str, more: str = "") -> str:
    """A drawing, `more`: further attributes. Readable text, a third shorter than base64; a space would end it."""
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}'{more}>{body}</svg>"
    return "data:image/svg+xml," + quote(svg, safe="=':/,")
