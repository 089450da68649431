"""Functions that look ahead, each with the causes that may be named for it, and functions that do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import ndimage, signal
from scipy.cluster.vq import kmeans2
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from qtw_lab.core import Bars

Fn = Callable[[Bars], Any]

SHIFT, CENTRED, FILL = "future shift", "centred window", "back-fill"
LABEL, SCALING, FIT, TIMES = "resample label", "whole-sample scaling", "fit on all", "later times"


def returns(bars: Bars) -> pd.DataFrame:
    return bars.close.pct_change(fill_method=None)


def one(bars: Bars) -> pd.Series:
    """The first symbol's closes."""
    return bars.close.iloc[:, 0]


def lags(prices: pd.Series) -> pd.DataFrame:
    """Four features known at the time, without missing values."""
    change = prices.pct_change(fill_method=None)
    return pd.DataFrame(
        {
            "last": change,
            "week": prices.pct_change(5, fill_method=None),
            "noise": change.rolling(10).std(),
            "trend": prices / prices.rolling(20).mean() - 1,
        }
    ).fillna(0.0)


# --- leaks: later bars used directly


def next_return(bars):
    return returns(bars).shift(-1)


def sign_of_tomorrow(bars):
    return np.sign(bars.close.shift(-1) - bars.close)


def forward_five_day_return(bars):
    return bars.close.pct_change(5, fill_method=None).shift(-5)


def sma_shifted_back(bars):
    return bars.close.rolling(20).mean().shift(-3)


def macd_of_tomorrow(bars):
    fast, slow = bars.close.ewm(span=12).mean(), bars.close.ewm(span=26).mean()
    return (fast - slow).shift(-1)


def rolled_array(bars):
    """np.roll instead of a shift: the last bar gets the first one's value."""
    return np.roll(bars.values["close"], -1, axis=0) / bars.values["close"] - 1


def forward_maximum(bars):
    return bars.high.rolling(pd.api.indexers.FixedForwardWindowIndexer(window_size=10), min_periods=1).max()


def reversed_rolling_mean(bars):
    return bars.close[::-1].rolling(10).mean()[::-1]


def reversed_exponential_mean(bars):
    return bars.close[::-1].ewm(span=10).mean()[::-1]


def label_among_features(bars):
    """A feature table in which the target slipped in."""
    close = one(bars)
    return lags(close).assign(target=(close.shift(-5) > close).astype(float))


def todays_open_knows_the_close(bars):
    """Yesterday's row holds today's gap."""
    return bars.open.shift(-1) / bars.close - 1


def triple_barrier_label(bars):
    """The outcome of a trade opened at each bar: 1 if up three percent comes before down three, within ten bars."""
    close = one(bars).to_numpy()
    out = np.zeros(len(close))
    for row in range(len(close)):
        later = close[row + 1 : row + 11] / close[row] - 1
        hits = np.flatnonzero(np.abs(later) > 0.03)
        out[row] = np.sign(later[hits[0]]) if len(hits) else 0.0
    return out


def buys_before_jumps(bars):
    """A signal that is seldom there: the day before a rise of more than four percent."""
    return (returns(bars).shift(-1) > 0.04).astype(float)


def volume_of_tomorrow(bars):
    return np.log(bars.volume.shift(-2) / bars.volume)


# --- leaks: both sides of a bar


def centred_mean(bars):
    return bars.close.rolling(21, center=True).mean()


def centred_deviation(bars):
    return returns(bars).rolling(11, center=True, min_periods=1).std()


def savgol(bars):
    return signal.savgol_filter(bars.values["close"], 15, 2, axis=0)


def zero_phase_filter(bars):
    b, a = signal.butter(2, 0.1)
    return signal.filtfilt(b, a, bars.close.ffill().to_numpy(), axis=0)


def gaussian_smoothing(bars):
    return ndimage.gaussian_filter1d(bars.values["close"], 3.0, axis=0)


def local_extremes(bars):
    """Swing highs: the highest of five bars on either side."""
    close = bars.close
    return (close == close.rolling(11, center=True, min_periods=1).max()).astype(float)


def gradient(bars):
    return np.gradient(bars.values["close"], axis=0)


def symmetric_convolution(bars):
    return np.convolve(one(bars), np.ones(7) / 7, mode="same")


def median_filter(bars):
    return signal.medfilt(one(bars).to_numpy(), 9)


def kalman_smoother(bars):
    """A local level model run forward and then back (Rauch, Tung and Striebel)."""
    y = one(bars).ffill().bfill().to_numpy()
    level, variance = _kalman(y)
    smooth = level.copy()
    for t in range(len(y) - 2, -1, -1):
        gain = variance[t] / (variance[t] + 0.1)
        smooth[t] = level[t] + gain * (smooth[t + 1] - level[t])
    return smooth


# --- leaks: filled from later


def back_filled(bars):
    return bars.close.ffill().bfill()


def interpolated(bars):
    return bars.close.interpolate(limit_area="inside")


def back_filled_then_averaged(bars):
    return bars.close.bfill().rolling(5, min_periods=1).mean()


def warm_up_back_filled(bars):
    return bars.close.rolling(30).mean().bfill()


def momentum_of_filled(bars):
    return bars.close.bfill().pct_change(5, fill_method=None)


def time_interpolated_spread(bars):
    filled = bars.close.interpolate("time")
    return filled.iloc[:, 0] - 0.5 * filled.iloc[:, -1]


def gaps_filled_with_the_mean(bars):
    return bars.close.fillna(bars.close.mean())


# --- leaks: blocks of time


def monthly_mean_of_all_days(bars):
    month = bars.index.tz_localize(None).to_period("M")
    return bars.close.groupby(month).transform("mean")


def weekly_close_on_monday(bars):
    week = bars.index.tz_localize(None).to_period("W")
    return bars.close.groupby(week).transform("last")


def month_labelled_at_its_start(bars):
    return bars.close.resample("MS").last().reindex(bars.index, method="ffill")


def quarter_range(bars):
    quarter = bars.index.tz_localize(None).to_period("Q")
    return bars.high.groupby(quarter).transform("max") - bars.low.groupby(quarter).transform("min")


def weekly_bars_labelled_left(bars):
    weekly = bars.close.resample("W-MON", label="left", closed="left").last()
    return weekly.reindex(bars.index, method="ffill")


def deviation_from_the_months_mean(bars):
    month = bars.index.tz_localize(None).to_period("M")
    return returns(bars) - returns(bars).groupby(month).transform("mean")


def yearly_high(bars):
    return bars.high.groupby(bars.index.year).transform("max")


def next_fridays_close(bars):
    """A forward merge: each day gets the close of the Friday to come."""
    close = one(bars)
    fridays = close[close.index.day_of_week == 4].rename("friday").reset_index()
    days = pd.DataFrame({"timestamp": bars.index})
    merged = pd.merge_asof(days, fridays.set_axis(["timestamp", "friday"], axis=1), on="timestamp", direction="forward")
    return merged["friday"].to_numpy()


def ten_day_blocks(bars):
    """Blocks of ten days counted from the first bar: the value of a block's last bar stands on all of them."""
    close = bars.close
    block = np.arange(len(close)) // 10
    return close.groupby(block).transform("last")


# --- leaks: scaled by everything


def z_score(bars):
    close = bars.close
    return (close - close.mean()) / close.std()


def min_max(bars):
    close = bars.close
    return (close - close.min()) / (close.max() - close.min())


def rank_of_all(bars):
    return returns(bars).rank(pct=True)


def quintiles(bars):
    return pd.qcut(returns(bars).iloc[:, 0], 5, labels=False)


def standard_scaler(bars):
    return StandardScaler().fit_transform(bars.volume.fillna(0.0))


def min_max_scaler(bars):
    return MinMaxScaler().fit_transform(returns(bars).fillna(0.0))


def quantile_transformer(bars):
    return QuantileTransformer(n_quantiles=50).fit_transform(returns(bars).fillna(0.0))


def demeaned(bars):
    return returns(bars) - returns(bars).mean()


def winsorised(bars):
    change = returns(bars)
    return change.clip(change.quantile(0.05), change.quantile(0.95), axis=1)


def above_the_median(bars):
    """A signal: long while the close is above the median of the whole sample."""
    return (bars.close > bars.close.median()).astype(float)


def scaled_to_a_volatility(bars):
    return returns(bars) * 0.01 / returns(bars).std()


def z_score_then_averaged(bars):
    return z_score(bars).rolling(10).mean()


def share_of_the_last_close(bars):
    return bars.close / bars.close.ffill().iloc[-1]


# --- leaks: fitted on everything


def detrended(bars):
    return signal.detrend(np.log(bars.close.ffill().bfill().to_numpy()), axis=0)


def principal_component(bars):
    return PCA(n_components=1).fit_transform(returns(bars).fillna(0.0))[:, 0]


def regression_in_sample(bars):
    features = lags(one(bars))
    target = one(bars).pct_change(fill_method=None).shift(-1).fillna(0.0)
    return LinearRegression().fit(features, target).predict(features)


def ridge_of_known_targets(bars):
    """Only past targets, but coefficients from the whole sample."""
    features = lags(one(bars))
    target = one(bars).pct_change(fill_method=None).fillna(0.0)
    return Ridge(alpha=1e-4).fit(features.shift(1).fillna(0.0), target).predict(features)


def classifier_in_sample(bars):
    features = StandardScaler().fit_transform(lags(one(bars)))
    target = one(bars).shift(-1) > one(bars)
    return LinearDiscriminantAnalysis().fit(features, target).predict_proba(features)[:, 1]


def clusters(bars):
    return kmeans2(lags(one(bars)).to_numpy() * 100, 3, minit="++", rng=0)[1]


def tree_in_sample(bars):
    features = lags(one(bars))
    target = one(bars).pct_change(fill_method=None).shift(-1).fillna(0.0)
    return DecisionTreeRegressor(max_depth=4, random_state=0).fit(features, target).predict(features)


def hedge_ratio_of_all(bars):
    prices = bars.close.ffill().bfill()
    slope, level = np.polyfit(prices.iloc[:, 1], prices.iloc[:, 0], 1)
    return prices.iloc[:, 0] - slope * prices.iloc[:, 1] - level


def fourier_low_pass(bars):
    wave = np.fft.rfft(one(bars).ffill().bfill().to_numpy())
    wave[len(wave) // 10 :] = 0
    return np.fft.irfft(wave, n=len(bars))


def polynomial_trend(bars):
    x = np.linspace(0, 1, len(bars))
    return np.polyval(np.polyfit(x, one(bars).ffill().bfill(), min(3, len(bars) - 1)), x)


def whitened(bars):
    """Returns made uncorrelated by the covariance of the whole sample."""
    change = returns(bars).fillna(0.0).to_numpy()
    values, vectors = np.linalg.eigh(np.cov(change.T) + 1e-8 * np.eye(change.shape[1]))
    return change @ vectors / np.sqrt(values)


# --- leaks without one name


def maximum_still_to_come(bars):
    return bars.high[::-1].cummax()[::-1]


def survivors_only(bars):
    """Only symbols that have a bar to the end and from the start."""
    return bars.close.dropna(axis=1, how="any")


def last_bar_of_the_month(bars):
    """From the timestamp of the next bar, where a calendar would know it."""
    month = pd.Series(bars.index.month, index=bars.index)
    return (month != month.shift(-1)).astype(float)


def share_of_the_sample(bars):
    return np.linspace(0, 1, len(bars))


def position_into_the_low(bars):
    """Holds from the whole sample's lowest close on."""
    close = one(bars)
    return (bars.index >= close.idxmin()).astype(float)


#: Leaks with the causes that may be named; none where no single name fits.
LEAKS: Final[dict[Fn, tuple[str, ...]]] = {
    next_return: (SHIFT,),
    sign_of_tomorrow: (SHIFT,),
    forward_five_day_return: (SHIFT,),
    sma_shifted_back: (SHIFT,),
    macd_of_tomorrow: (SHIFT,),
    rolled_array: (SHIFT,),
    forward_maximum: (SHIFT,),
    reversed_rolling_mean: (SHIFT,),
    reversed_exponential_mean: (SHIFT,),
    label_among_features: (SHIFT,),
    todays_open_knows_the_close: (SHIFT,),
    triple_barrier_label: (SHIFT,),
    buys_before_jumps: (SHIFT,),
    volume_of_tomorrow: (SHIFT,),
    centred_mean: (CENTRED,),
    centred_deviation: (CENTRED,),
    savgol: (CENTRED,),
    zero_phase_filter: (CENTRED,),
    gaussian_smoothing: (CENTRED,),
    local_extremes: (CENTRED,),
    gradient: (CENTRED,),
    symmetric_convolution: (CENTRED,),
    median_filter: (CENTRED,),
    kalman_smoother: (CENTRED,),
    back_filled: (FILL,),
    interpolated: (FILL,),
    back_filled_then_averaged: (FILL,),
    warm_up_back_filled: (FILL,),
    momentum_of_filled: (FILL,),
    time_interpolated_spread: (FILL,),
    gaps_filled_with_the_mean: (FILL,),
    monthly_mean_of_all_days: (LABEL,),
    weekly_close_on_monday: (LABEL,),
    month_labelled_at_its_start: (LABEL,),
    quarter_range: (LABEL,),
    weekly_bars_labelled_left: (LABEL,),
    deviation_from_the_months_mean: (LABEL,),
    yearly_high: (LABEL,),
    next_fridays_close: (LABEL, FILL),
    ten_day_blocks: (LABEL,),
    z_score: (SCALING,),
    min_max: (SCALING,),
    rank_of_all: (SCALING,),
    quintiles: (SCALING,),
    standard_scaler: (SCALING,),
    min_max_scaler: (SCALING,),
    quantile_transformer: (SCALING,),
    demeaned: (SCALING,),
    winsorised: (SCALING,),
    above_the_median: (SCALING,),
    scaled_to_a_volatility: (SCALING,),
    z_score_then_averaged: (SCALING,),
    share_of_the_last_close: (SCALING,),
    detrended: (FIT,),
    principal_component: (FIT,),
    regression_in_sample: (FIT,),
    ridge_of_known_targets: (FIT,),
    classifier_in_sample: (FIT,),
    clusters: (FIT,),
    tree_in_sample: (FIT,),
    hedge_ratio_of_all: (FIT,),
    fourier_low_pass: (FIT, CENTRED),
    polynomial_trend: (FIT,),
    whitened: (FIT,),
    maximum_still_to_come: (),
    survivors_only: (),
    last_bar_of_the_month: (TIMES,),
    share_of_the_sample: (TIMES,),
    position_into_the_low: (),
}


# --- clean functions


def _kalman(y):
    """Filtered level and its variance of a local level model, forward only."""
    level, variance = np.empty(len(y)), np.empty(len(y))
    mean, spread = y[0], 1.0
    for t, value in enumerate(y):
        prior = spread + 0.1
        gain = prior / (prior + 1.0)
        mean, spread = mean + gain * (value - mean), (1 - gain) * prior
        level[t], variance[t] = mean, spread
    return level, variance


def last_return(bars):
    return returns(bars)


def yesterday(bars):
    return bars.close.shift(1)


def rolling_mean(bars):
    return bars.close.rolling(20).mean()


def rolling_deviation(bars):
    return returns(bars).rolling(20).std()


def rolling_skew(bars):
    return returns(bars).rolling(40).skew()


def rolling_median(bars):
    return bars.close.rolling(15).median()


def rolling_rank(bars):
    return bars.close.rolling(30).rank(pct=True)


def rolling_z_score(bars):
    roll = bars.close.rolling(50)
    return (bars.close - roll.mean()) / roll.std()


def mean_by_running_totals(bars):
    """A mean from differences of a running total, which rounds at every step."""
    totals = np.nancumsum(bars.values["volume"], axis=0)
    out = np.full(totals.shape, np.nan)
    out[20:] = (totals[20:] - totals[:-20]) / 20
    return out


def exponential_mean(bars):
    return bars.close.ewm(span=15).mean()


def exponential_deviation(bars):
    return returns(bars).ewm(halflife=10).std()


def expanding_z_score(bars):
    past = bars.close.expanding(20)
    return (bars.close - past.mean()) / past.std()


def expanding_rank(bars):
    return returns(bars).expanding().rank(pct=True)


def running_total(bars):
    return returns(bars).fillna(0.0).cumsum()


def drawdown(bars):
    return bars.close / bars.close.cummax() - 1


def since_the_first_close(bars):
    return bars.close / bars.close.iloc[0]


def average_true_range(bars):
    before = bars.close.shift(1)
    true = pd.concat(
        [bars.high - bars.low, (bars.high - before).abs(), (bars.low - before).abs()], keys=["range", "up", "down"]
    )
    return true.groupby(level=1).max().ewm(alpha=1 / 14, adjust=False).mean()


def relative_strength(bars):
    change = bars.close.diff()
    gain = change.clip(lower=0).ewm(alpha=1 / 14, adjust=False).mean()
    loss = (-change.clip(upper=0)).ewm(alpha=1 / 14, adjust=False).mean()
    return 100 - 100 / (1 + gain / loss)


def macd_histogram(bars):
    line = bars.close.ewm(span=12, adjust=False).mean() - bars.close.ewm(span=26, adjust=False).mean()
    return line - line.ewm(span=9, adjust=False).mean()


def on_balance_volume(bars):
    return (np.sign(bars.close.diff()) * bars.volume).cumsum()


def donchian_position(bars):
    high, low = bars.high.rolling(20).max().shift(1), bars.low.rolling(20).min().shift(1)
    signal_ = pd.DataFrame(np.nan, index=bars.index, columns=bars.close.columns)
    return signal_.mask(bars.close > high, 1.0).mask(bars.close < low, -1.0).ffill().fillna(0.0)


def cross_sectional_rank(bars):
    return bars.close.pct_change(20, fill_method=None).rank(axis=1)


def relative_to_the_basket(bars):
    return returns(bars).sub(returns(bars).mean(axis=1), axis=0)


def rolling_beta(bars):
    change = returns(bars)
    market = change.mean(axis=1)
    return change.rolling(60).cov(market).div(market.rolling(60).var(), axis=0)


def rolling_hedge_spread(bars):
    a, b = bars.close.iloc[:, 0], bars.close.iloc[:, 1]
    slope = a.rolling(60).cov(b) / b.rolling(60).var()
    return a - slope * b


def forward_filled(bars):
    return bars.close.ffill().pct_change(fill_method=None)


def without_missing_rows(bars):
    """Fewer rows than bars."""
    return returns(bars).dropna()


def last_finished_week(bars):
    weekly = bars.close.resample("W-FRI").last().shift(1)
    return weekly.reindex(bars.index, method="ffill")


def week_labelled_at_its_end(bars):
    weekly = bars.close.resample("W-SUN", label="right", closed="right").mean()
    return weekly.reindex(bars.index, method="ffill")


def last_months_range(bars):
    month = bars.index.tz_localize(None).to_period("M")
    ranges = bars.high.groupby(month).max() - bars.low.groupby(month).min()
    return ranges.shift(1).reindex(month).set_axis(bars.index)


def month_to_date_mean(bars):
    month = bars.index.tz_localize(None).to_period("M")
    return bars.close.groupby(month).expanding().mean().droplevel(0).sort_index()


def past_fridays_close(bars):
    close = one(bars)
    fridays = close[close.index.day_of_week == 4].reset_index().set_axis(["timestamp", "friday"], axis=1)
    days = pd.DataFrame({"timestamp": bars.index})
    return pd.merge_asof(days, fridays, on="timestamp", direction="backward")["friday"].to_numpy()


def calendar_features(bars):
    index = bars.index
    return pd.DataFrame(
        {"day": index.day_of_week, "month": index.month, "season": np.sin(index.day_of_year)}, index=index
    )


def weekday_dummies(bars):
    """A column for each weekday met so far."""
    return pd.get_dummies(bars.index.day_of_week.to_numpy()).set_axis(bars.index)


def weekday_names(bars):
    return pd.Series(bars.index.day_name(), index=bars.index)


def regime_labels(bars):
    noise = returns(bars).iloc[:, 0].rolling(20).std()
    return pd.cut(noise, [0, 0.01, 0.02, 1.0], labels=["calm", "usual", "wild"])


def kalman_filter(bars):
    return _kalman(one(bars).ffill().to_numpy())[0]


def causal_filter(bars):
    b, a = signal.butter(2, 0.1)
    return signal.lfilter(b, a, returns(bars).fillna(0.0).to_numpy(), axis=0)


def causal_fourier_convolution(bars):
    """Past weights applied by a Fourier transform of the whole: rounding differs with the length."""
    kernel = 0.9 ** np.arange(50)
    change = returns(bars).fillna(0.0).to_numpy()
    return signal.fftconvolve(change, kernel[:, None], axes=0)[: len(bars)]


def walk_forward_regression(bars):
    """Re-fitted every 60 bars on what was known, targets included."""
    close = one(bars)
    features, target = lags(close).to_numpy(), close.pct_change(fill_method=None).fillna(0.0).to_numpy()
    out = np.full(len(close), np.nan)
    for start in range(120, len(close), 60):
        model = LinearRegression().fit(features[: start - 1], target[1:start])
        stop = min(start + 60, len(close))
        out[start:stop] = model.predict(features[start:stop])
    return out


def walk_forward_scaler(bars):
    change = returns(bars).fillna(0.0).to_numpy()
    out = np.full(change.shape, np.nan)
    for start in range(100, len(change), 50):
        out[start : start + 50] = StandardScaler().fit(change[:start]).transform(change[start : start + 50])
    return out


def walk_forward_component(bars):
    change = returns(bars).fillna(0.0).to_numpy()
    out = np.full(len(change), np.nan)
    for start in range(120, len(change), 80):
        out[start : start + 80] = PCA(1).fit(change[:start]).transform(change[start : start + 80])[:, 0]
    return out


def walk_forward_tree(bars):
    close = one(bars)
    features, target = lags(close).to_numpy(), close.pct_change(fill_method=None).fillna(0.0).to_numpy()
    out = np.full(len(close), np.nan)
    for start in range(150, len(close), 100):
        model = DecisionTreeRegressor(max_depth=3, random_state=0).fit(features[: start - 1], target[1:start])
        out[start : start + 100] = model.predict(features[start : start + 100])
    return out


def recursive_least_squares(bars):
    features, target = lags(one(bars)).to_numpy(), one(bars).pct_change(fill_method=None).fillna(0.0).to_numpy()
    weights, inverse, out = np.zeros(4), np.eye(4) * 1e3, np.zeros(len(target))
    for t in range(1, len(target)):
        x = features[t - 1]
        gain = inverse @ x / (0.99 + x @ inverse @ x)
        weights = weights + gain * (target[t] - x @ weights)
        inverse = (inverse - np.outer(gain, x @ inverse)) / 0.99
        out[t] = features[t] @ weights
    return out


def garch_like_variance(bars):
    change = returns(bars).iloc[:, 0].fillna(0.0).to_numpy()
    variance = np.empty(len(change))
    variance[0] = 1e-4
    for t in range(1, len(change)):
        variance[t] = 2e-6 + 0.08 * change[t] ** 2 + 0.9 * variance[t - 1]
    return variance


def volatility_target(bars):
    noise = returns(bars).ewm(span=30).std()
    return (0.01 / noise).clip(upper=2.0).shift(1)


def trailing_stop(bars):
    """Long until the close falls five percent below its highest since entry, in again at a 20-bar high."""
    close, high = one(bars).to_numpy(), one(bars).rolling(20).max().to_numpy()
    out, held, top = np.zeros(len(close)), False, 0.0
    for t, price in enumerate(close):
        top = max(top, price) if held else price
        held = (held and price > 0.95 * top) or (not held and price >= high[t])
        out[t] = held
    return out


def noise_of_a_fixed_seed(bars):
    """Random, but the same for every length."""
    return np.random.default_rng(3).normal(size=len(bars)) + one(bars).to_numpy()


def constant(bars):
    return np.ones(len(bars))


def fixed_first_stretch(bars):
    """Scaled by the first hundred bars, and silent until they are over."""
    change = returns(bars)
    first = change.iloc[:100]
    return ((change - first.mean()) / first.std()).iloc[100:]


def bar_number(bars):
    return np.arange(len(bars), dtype=float)


#: Functions that never look ahead.
CLEAN: Final[tuple[Fn, ...]] = (
    last_return, yesterday, rolling_mean, rolling_deviation, rolling_skew, rolling_median, rolling_rank,
    rolling_z_score, mean_by_running_totals, exponential_mean, exponential_deviation, expanding_z_score,
    expanding_rank, running_total, drawdown, since_the_first_close, average_true_range, relative_strength,
    macd_histogram, on_balance_volume, donchian_position, cross_sectional_rank, relative_to_the_basket, rolling_beta,
    rolling_hedge_spread, forward_filled, without_missing_rows, last_finished_week, week_labelled_at_its_end,
    last_months_range, month_to_date_mean, past_fridays_close, calendar_features, weekday_dummies, weekday_names,
    regime_labels,
    kalman_filter, causal_filter, causal_fourier_convolution, walk_forward_regression, walk_forward_scaler,
    walk_forward_component, walk_forward_tree, recursive_least_squares, garch_like_variance, volatility_target,
    trailing_stop, noise_of_a_fixed_seed, constant, fixed_first_stretch, bar_number,
)  # fmt: skip
