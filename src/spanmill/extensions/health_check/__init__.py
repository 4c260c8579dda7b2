"""The health_check extension: liveness and readiness over HTTP."""
