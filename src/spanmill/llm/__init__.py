"""What is known about LLM telemetry, as pure functions and data files: conventions, messages, prices."""
