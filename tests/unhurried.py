"""Settings of hypothesis for a busy machine: its checks of time are about the machine, and no test asserts times."""

from hypothesis import HealthCheck, settings

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
