import pandas as pd

from qtw_lab.data import Finding, QualityReport

DAY = pd.Timestamp("2024-01-02", tz="UTC")


def report(*findings):
    return QualityReport(("A",), 10, DAY, DAY, "1D", "XNYS", findings)


def finding(severity="warning", kind="gap", detail="x", first=DAY):
    return Finding(kind, severity, "A", first, first, 1, detail)


def test_a_report_without_errors_is_ok_and_one_with_an_error_is_not():
    assert report().ok
    assert report(finding()).ok
    assert not report(finding(), finding("error")).ok


def test_the_worst_comes_first_and_findings_without_a_time_last():
    shown = report(finding("info"), finding("error", first=None), finding("error")).findings
    assert [(f.severity, f.first) for f in shown] == [("error", DAY), ("error", None), ("info", DAY)]


def test_the_table_has_a_row_a_finding_even_for_none():
    assert report().table().shape == (0, 7)
    table = report(finding(), finding("error", first=None)).table()
    assert table["severity"].tolist() == ["error", "warning"]
    assert str(table["first"].dtype) == "datetime64[us, UTC]" or "UTC" in str(table["first"].dtype)


def test_the_facts_count_by_severity_and_kind_and_quote_the_serious_ones():
    facts = report(*[finding(detail=f"number {n}") for n in range(12)], finding("info", "spike")).facts()
    assert (facts["errors"], facts["warnings"], facts["infos"]) == (0, 12, 1)
    assert (facts["kind_gap"], facts["kind_spike"]) == (12, 1)
    assert len(facts.notes) == 11
    assert facts.notes[-1] == "and 2 more"


def test_a_text_from_the_data_cannot_become_markup():
    shown = report(finding(detail="<script>alert(1)</script>"))._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_a_long_report_is_cut_in_the_notebook_and_says_so():
    shown = report(*[finding() for _ in range(250)])._repr_html_()
    assert shown.count("<tr>") == 201
    assert "50 more" in shown
