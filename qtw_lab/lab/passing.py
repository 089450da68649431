"""Settings, passed on to a process of their own."""

from __future__ import annotations

from typing import Final

from qtw_lab.core import Settings

#: Settings that an engine's process is given.
_PASSED: Final = (
    "qtw_storage_dir", "qtw_keyring", "alpaca_api_key_id", "alpaca_api_secret_key", "alpaca_data_feed",
    "alpaca_data_ws_url", "alpaca_data_rest_url", "alpaca_trading_rest_url", "alpaca_requests_per_minute",
    "realtime_state_dir", "realtime_data_dir", "realtime_ndjson_max_bytes", "metrics_max_bytes", "redis_url",
)  # fmt: skip


def environment_of(settings: Settings) -> dict[str, str]:
    """Settings as a process's environment; what is not set there is set to nothing, so that `.env` does not fill it."""
    secrets = settings.secrets()
    found = {}
    for name in _PASSED:
        value = getattr(settings, name)
        shown = "" if value is None else str(int(value)) if isinstance(value, bool) else str(value)
        found[name.upper()] = secrets.get(name.upper(), shown)
    return found
