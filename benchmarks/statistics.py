"""What many ratios come to, and whether they agree."""

import numpy as np
import pandas as pd

STEADY = 1.3  # The upper quartile of a steady ratio is at most this many times the lower one.


def geometric_mean(values: pd.Series) -> float:
    return float(np.exp(np.log(values).mean()))


def are_unsteady(measurements: pd.DataFrame) -> pd.Series:
    """Of each row, whether the repetitions leave open what the ratio is."""
    return measurements["ratio_upper_quartile"] > STEADY * measurements["ratio_lower_quartile"]


def any_unsteady(ratios: np.ndarray) -> bool:
    """The same of columns of repetitions."""
    lower, upper = np.quantile(ratios, (0.25, 0.75), axis=0)
    return bool((upper > STEADY * lower).any())
