"""What huge pages under zeta's results alone are worth: ZETA_HUGE_PAGES=1 against 0."""

import pandas as pd

from benchmarks.pages import Pages

SUITE = "switch"
BASELINE = "ZETA_HUGE_PAGES=0"
CASE = ["shape", "dim", "length", "k", "dtype", "family", "operation"]


def compare(measurements: pd.DataFrame) -> pd.DataFrame:
    """Rows whose baseline is zeta itself, switched off. The two ran in processes of their own, one
    after another, and memory's speed may have changed between them. So a ratio is that of zeta's
    ratios to the copy beside it, which had ordinary pages both times."""
    rows = measurements[measurements["suite"] == SUITE].set_index(CASE)
    on, off = (rows[rows["pages"] == pages] for pages in (Pages.ZETA_HUGE, Pages.ORDINARY))
    off = off.reindex(on.index)
    compared = on.assign(
        baseline=BASELINE,
        baseline_ms=off["zeta_ms"],
        ratio=on["ratio"] / off["ratio"],
        ratio_lower_quartile=on["ratio_lower_quartile"] / off["ratio_upper_quartile"],
        ratio_upper_quartile=on["ratio_upper_quartile"] / off["ratio_lower_quartile"],
    )
    return compared.dropna(subset="ratio").reset_index()


def with_comparison(measurements: pd.DataFrame) -> pd.DataFrame:
    """The measurements, and what they say of the switch."""
    return pd.concat([measurements, compare(measurements)], ignore_index=True)
