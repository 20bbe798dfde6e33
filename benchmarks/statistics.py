"""What many ratios come to."""

import numpy as np
import pandas as pd


def geometric_mean(values: pd.Series) -> float:
    return float(np.exp(np.log(values).mean()))
