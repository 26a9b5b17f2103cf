"""Pictures inside a page or a metadata entry."""

import base64


def data_uri(media_type: str, data: bytes) -> str:
    """For the `src` of a picture; `media_type` as in `image/jpeg`."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
