"""Cross-origin requests: which web pages may send straight from a browser (Fetch standard, "CORS protocol")."""

import re
from collections.abc import Mapping

from spanmill.config.blocks import Cors

_ALWAYS_ALLOWED = frozenset(
    {"accept", "accept-language", "content-type", "content-language", "content-encoding", "origin", "x-requested-with"}
)


class CorsPolicy:
    """Turns the configured origins and headers into response headers."""

    def __init__(self, config: Cors) -> None:
        self._any_origin = "*" in config.allowed_origins
        patterns = (".*".join(map(re.escape, origin.lower().split("*"))) for origin in config.allowed_origins)
        self._origins = re.compile("|".join(patterns) or r"(?!)")
        self._any_header = "*" in config.allowed_headers
        self._headers = _ALWAYS_ALLOWED | {header.lower() for header in config.allowed_headers}
        self._exposed = ", ".join(config.exposed_headers)
        self._max_age = config.max_age

    def response_headers(self, request: Mapping[str, str]) -> dict[str, str]:
        """Headers of the answer to a request from a page; only `Vary` when its origin is not allowed."""
        headers = {"Vary": "Origin"}
        origin = request.get("Origin")
        if origin is None or not self._origins.fullmatch(origin.lower()):
            return headers
        headers["Access-Control-Allow-Origin"] = "*" if self._any_origin else origin
        if not self._any_origin:
            # A page that everybody may be must not be able to use the reader's cookies.
            headers["Access-Control-Allow-Credentials"] = "true"
        if self._exposed:
            headers["Access-Control-Expose-Headers"] = self._exposed
        return headers

    def preflight_headers(self, request: Mapping[str, str]) -> dict[str, str] | None:
        """Headers of the answer to a preflight request; None when origin, method or a header is not allowed."""
        headers = self.response_headers(request)
        asked = [name.strip() for name in request.get("Access-Control-Request-Headers", "").split(",") if name.strip()]
        allowed = self._any_header or all(name.lower() in self._headers for name in asked)
        if (
            "Access-Control-Allow-Origin" not in headers
            or request.get("Access-Control-Request-Method") != "POST"
            or not allowed
        ):
            return None
        headers["Vary"] = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
        headers["Access-Control-Allow-Methods"] = "POST"
        if asked:
            headers["Access-Control-Allow-Headers"] = ", ".join(asked)
        if self._max_age:
            headers["Access-Control-Max-Age"] = str(self._max_age)
        return headers
