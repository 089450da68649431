"""Price tables from outside: bundled and synthetic sources, files, calendars, quality."""

from qtw_lab.data.calendars import expected_index, is_session, sessions
from qtw_lab.data.files import TextFormat, read_bars, read_table, write_bars
from qtw_lab.data.findings import Finding, QualityReport
from qtw_lab.data.quality import check
from qtw_lab.data.resampling import resample
from qtw_lab.data.sample import SAMPLES, sample_bars
from qtw_lab.data.sources import Source, SourceInfo
from qtw_lab.data.synthetic import MODELS, Shape, synthetic_bars

__all__ = [
    "MODELS", "SAMPLES", "Finding", "QualityReport", "Shape", "Source", "SourceInfo", "TextFormat", "check",
    "expected_index", "is_session", "read_bars", "read_table", "resample", "sample_bars", "sessions", "synthetic_bars",
    "write_bars",
]  # fmt: skip
