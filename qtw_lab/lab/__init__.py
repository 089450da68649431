"""The front door: names and settings become working parts here and nowhere else."""

from qtw_lab.lab.front import Download, Lab
from qtw_lab.lab.report import Report

__all__ = ["Download", "Lab", "Report"]
