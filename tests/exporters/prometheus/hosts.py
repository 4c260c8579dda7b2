"""A host that has pages, which is all that the exporter asks for."""

from typing import Any

from spanmill.admission import Admission
from spanmill.component import Intake, Status
from spanmill.names import ComponentId
from spanmill.signal import Signal
from spanmill.telemetry.pages import Pages
from spanmill.utilization import Utilization


class PageHost:
    """Implements `component.Host`."""

    def __init__(self, pages: Pages) -> None:
        self.admission = Admission(1)
        self.utilization = Utilization()
        self.pages = pages

    def intake(self, signal: Signal) -> Intake | None:
        return None

    def report_fatal(self, error: BaseException) -> None:
        raise error

    def status(self) -> Status:
        return Status(True)

    def extension(self, component: ComponentId) -> Any:
        raise KeyError(component)
