"""The configuration that is shipped for Prometheus, made to watch a collector of its own once a second."""

from pathlib import Path

import yaml

from tests.deploy.shipped import PROMETHEUS, RULE_FILES


def configure(directory: Path, targets: dict[str, int]) -> Path:
    """The shipped configuration, with `targets` (ports by job) in place of its own, everything once a second."""
    shipped = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    assert [job["job_name"] for job in shipped["scrape_configs"]] == list(targets)
    for job in shipped["scrape_configs"]:
        job["static_configs"] = [{"targets": [f"127.0.0.1:{targets[job['job_name']]}"]}]
    shipped["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (directory / "rules").mkdir()
    for path in RULE_FILES:
        rules = yaml.safe_load(path.read_text())
        for group in rules["groups"]:
            group.pop("interval", None)
        (directory / "rules" / path.name).write_text(yaml.safe_dump(rules))
    configuration = directory / "prometheus.yml"
    configuration.write_text(yaml.safe_dump(shipped))
    return configuration
