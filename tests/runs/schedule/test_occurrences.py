import pandas as pd

from qtw_lab.runs.process import Process
from qtw_lab.runs.schedule.occurrences import kept_process, moment_of, nanos, process_of


def test_moments_are_kept_to_the_nanosecond():
    moment = pd.Timestamp("2024-01-02 14:30:00.123456789", tz="UTC")
    assert moment_of(nanos(moment)) == moment
    assert moment_of(nanos(pd.Timestamp("2024-01-02", tz="UTC").as_unit("s"))) == pd.Timestamp("2024-01-02", tz="UTC")
    assert moment_of(None) is None


def test_processes_are_kept_whatever_their_machine_is_called():
    process = Process('a "host", really', 7, "boot:42")
    assert process_of(kept_process(process)) == process
    assert kept_process(None) is None
    assert process_of(None) is None
