"""The environments that the adapters' tests carry."""

from __future__ import annotations

import desk  # noqa: F401  (registers its environment)
import rows_used  # noqa: F401  (registers the environments)
