"""The settings: the only module that reads `.env`, the keyring and, but for the storage folder, the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from qtw_lab.core.errors import DataError, SetupError
from qtw_lab.core.places import default_storage

KEYRING_SERVICE = "qtw-lab"


class Settings(BaseSettings):
    """Everything that can be set from outside; names are the environment variables in lower case.

    Values come from arguments, then the environment, then `.env` in the working folder. Secrets are `SecretStr`: they
    do not show in a repr, a log or an error. With `QTW_KEYRING=1` a secret that is set nowhere else is read from the
    system keyring (service "qtw-lab", the variable's name as user name).

    Examples
    --------
    >>> Settings(alpaca_api_secret_key="s3cret").alpaca_api_secret_key
    SecretStr('**********')
    """

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    qtw_storage_dir: Path = Field(default_factory=default_storage, description="data, runs and reports live here")
    qtw_keyring: bool = Field(default=False, description="read secrets from the system keyring")

    alpaca_api_key_id: SecretStr | None = Field(default=None, description="Alpaca key id")
    alpaca_api_secret_key: SecretStr | None = Field(default=None, description="Alpaca secret key")
    alpaca_data_feed: Literal["sip", "iex", "test"] = Field(default="iex", description="Alpaca market-data feed")
    alpaca_data_ws_url: str | None = Field(default=None, description="another market-data stream")
    alpaca_data_rest_url: str | None = Field(default=None, description="another market-data REST root")
    alpaca_trading_rest_url: str | None = Field(default=None, description="another trading REST root")
    alpaca_live_trading: bool = Field(default=False, description="whether orders may be sent that cost real money")
    alpaca_requests_per_minute: int = Field(default=200, ge=1, description="rate limit of the Alpaca plan, per key")

    realtime_state_dir: Path | None = Field(default=None, description="the realtime engine's state, journal, recording")
    realtime_data_dir: Path | None = Field(default=None, description="the realtime engine's NDJSON exports")
    realtime_ndjson_max_bytes: int = Field(default=10_000_000, ge=1_000, description="size at which an export rotates")
    metrics_max_bytes: int = Field(default=5_000_000, ge=1_000, description="size at which the metrics rotate")
    redis_url: SecretStr | None = Field(default=None, description="a Redis server that events are also sent to")

    dask_scheduler: str | None = Field(default=None, description="a Dask cluster for sweeps and scheduled runs")
    local_task_workers: int = Field(default=2, ge=1, le=256, description="threads for local work, runs at once")

    qtw_smtp_url: SecretStr | None = Field(default=None, description="mail server: smtp://user:password@host:port")
    qtw_mail_from: str | None = Field(default=None, description="sender of mail about scheduled runs")
    qtw_webhook_hosts: str = Field(default="", description="hosts beside loopback that webhooks may go to")
    qtw_language: Literal["en", "zh"] = Field(default="en", description="language of the pages' labels")
    qtw_dashboards_token: SecretStr | None = Field(default=None, description="who opens the pages has to know it")
    qtw_dashboards_read_only: bool = Field(default=False, description="whether pages show and do nothing")

    @field_validator("*", mode="before")
    @classmethod
    def _empty_means_unset(cls, value: Any, info: Any) -> Any:
        """An empty variable, as left by a copied `.env.example`, counts as not set."""
        if isinstance(value, str) and not value.strip():
            return cls.model_fields[info.field_name].get_default(call_default_factory=True)
        return value

    @field_validator("qtw_storage_dir", "realtime_state_dir", "realtime_data_dir")
    @classmethod
    def _home_spelled_out(cls, value: Path | None) -> Path | None:
        """A leading ~ means the home folder here too: no shell reads `.env`."""
        try:
            return None if value is None else value.expanduser()
        except RuntimeError:
            raise ValueError("the home folder that ~ stands for cannot be found") from None

    @classmethod
    def load(cls, **given: Any) -> Settings:
        """The settings of this machine.

        Raises
        ------
        DataError
            If a variable has a value that does not fit, or `.env` cannot be read; the message names the variable,
            never its value.
        """
        try:
            return cls(**given)
        except ValidationError as err:
            faults = "; ".join(f"{str(e['loc'][0]).upper()}: {e['msg']}" for e in err.errors(include_input=False))
            fault = f"A setting cannot be used. {faults}. Correct it in the environment or in .env."
        except (OSError, UnicodeDecodeError):
            fault = (
                "The settings file .env in the working folder cannot be read. Save it as plain UTF-8 text, readable "
                "for you, or remove it."
            )
        raise DataError(fault)  # out here it has no context, which would carry the value along wherever it is sent

    def secrets(self) -> dict[str, str]:
        """The values of all secrets that are set, by variable name, so that they can be masked in records."""
        set_ = {name: getattr(self, name) for name in type(self).model_fields}
        return {n.upper(): v.get_secret_value() for n, v in set_.items() if isinstance(v, SecretStr)}

    def secret(self, name: str) -> SecretStr:
        """The secret setting called `name`, from its variable or the keyring.

        Raises
        ------
        SetupError
            If it is set nowhere, or the keyring does not answer.
        """
        value = getattr(self, name.lower(), None)
        if isinstance(value, SecretStr):
            return value
        stored = _from_keyring(name.upper()) if self.qtw_keyring else None
        if stored is None:
            raise SetupError(
                f"{name.upper()} is not set. Put it in the environment or in .env (see .env.example)"
                + (f", or run: keyring set {KEYRING_SERVICE} {name.upper()}" if self.qtw_keyring else "")
                + "."
            )
        return SecretStr(stored)


def environment() -> dict[str, str]:
    """The variables of this process, for code that must keep their values out of a record; a copy."""
    return dict(os.environ)


def secret_from_reference(reference: str) -> SecretStr:
    """The secret that ``env:NAME`` points to.

    Parameters
    ----------
    reference : str
        ``env:`` and the name of an environment variable.

    Raises
    ------
    DataError
        If the text is not such a reference (it is not repeated: it may be the secret itself).
    SetupError
        If the variable is not set.
    """
    kind, _, name = reference.partition(":") if isinstance(reference, str) else ("", "", "")
    if kind != "env" or not name.isidentifier():
        raise DataError("A secret is passed as env:NAME, the name of an environment variable, never as its value.")
    value = os.environ.get(name)
    if not value:
        raise SetupError(f"The environment variable {name} is not set; set it before the run that refers to it.")
    return SecretStr(value)


def _from_keyring(name: str) -> str | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as err:
        raise SetupError(
            "QTW_KEYRING is on but keyring is not installed. Install it with: pip install 'qtw-lab[live]'"
        ) from err
    try:
        return keyring.get_password(KEYRING_SERVICE, name)
    except KeyringError as err:
        raise SetupError(
            f"QTW_KEYRING is on but the system keyring does not give {name} ({type(err).__name__}). Unlock it, or put "
            "the value in the environment or in .env and set QTW_KEYRING=0."
        ) from err
