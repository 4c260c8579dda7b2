"""Hosts of exporters: one of which nothing is asked, and one that has extensions."""

from typing import Any

from spanmill.names import ComponentId

NO_HOST: Any = None


class ExtensionsHost:
    """Has started extensions, and nothing else."""

    def __init__(self, **extensions: Any) -> None:
        self._extensions = extensions

    def extension(self, component: ComponentId) -> Any:
        return self._extensions[str(component)]
