"""How many examples hypothesis tries: a few, always the same, beside other tests; many, and new ones, in make fuzz."""

import os

from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile("test", derandomize=True, database=None, deadline=None, max_examples=25)
settings.register_profile(
    "fuzz", deadline=None, max_examples=int(os.environ.get("N", "2500")), print_blob=True, suppress_health_check=SLOW
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "test"))
