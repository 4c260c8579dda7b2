"""The extra `presidio` is not part of what development installs: `pip install -c constraints.txt -e .[presidio]`."""

import importlib.util

collect_ignore = [] if importlib.util.find_spec("presidio_analyzer") else ["test_named_entities.py"]
