"""What needs the extra `presidio`, which development does without: `pip install -c constraints.txt -e '.[presidio]'`."""

import importlib.util

collect_ignore = [] if importlib.util.find_spec("presidio_analyzer") else ["test_named_entities.py"]
