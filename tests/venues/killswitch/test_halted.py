"""What an order gets to hear once the switch is tripped."""

from pathlib import Path

import pytest

import qtw_lab.venues.killswitch as package
from qtw_lab.core import VenueError
from qtw_lab.venues.killswitch.halted import HaltedError
from qtw_lab.venues.killswitch.status import Status


def test_who_is_halted_hears_the_reason_and_how_to_go_on():
    status = Status(tripped=True, reason="switch.log is missing", readable=False)
    error = HaltedError(status, Path("/srv/stop"))
    assert str(error).startswith("Trading is halted: switch.log is missing. No order is sent.")
    assert "reset --folder /srv/stop --by YOUR_NAME --reason WHY --acknowledge-damage" in str(error)
    assert (error.status, isinstance(error, VenueError)) == (status, True)


def test_the_package_has_the_error_too():
    assert package.HaltedError is HaltedError
    assert set(package.__all__) <= set(dir(package)) | {"HaltedError"}
    with pytest.raises(AttributeError, match="has no attribute 'Halted'"):
        package.Halted  # noqa: B018  (looking it up is the test)
