import pandas as pd

from qtw_lab.runs.process import Process
from qtw_lab.runs.schedule.attendance import Attendance

NOON = pd.Timestamp("2024-01-02 12:00", tz="UTC")


def test_who_is_there_is_known_until_it_leaves(agenda):
    attendance, me = Attendance(agenda), Process.current()
    attendance.attend(me, "keeps time", NOON)
    attendance.attend(me, "keeps time and works", NOON + pd.Timedelta(seconds=3))
    (one,) = attendance.present(NOON)
    assert (one.process, one.task, one.since, one.beat) == (
        me,
        "keeps time and works",
        NOON,
        NOON + pd.Timedelta(seconds=3),
    )
    attendance.leave(me, NOON)
    assert attendance.present(NOON) == ()


def test_a_process_that_was_killed_is_not_there_any_more(agenda):
    me = Process.current()
    killed = Process(me.host, me.pid, "an earlier one of the same number")
    Attendance(agenda).attend(killed, "works", NOON)
    assert Attendance(agenda).present(NOON) == ()
    Attendance(agenda).leave(me, NOON)
    with agenda.file.reading() as connection:
        assert connection.execute("SELECT count(*) FROM services").fetchone()[0] == 0


def test_a_process_of_another_machine_is_there_as_long_as_it_says_so(agenda):
    far = Process("a machine with another name", 1, "boot:1")
    Attendance(agenda).attend(far, "works", NOON)
    assert [one.process for one in Attendance(agenda).present(NOON + pd.Timedelta(minutes=2))] == [far]
    assert Attendance(agenda).present(NOON + pd.Timedelta(minutes=3)) == ()
