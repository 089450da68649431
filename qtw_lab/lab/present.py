"""What a lab does with the market of this moment: the realtime engine, and a market on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtw_lab.core import Bars, Settings
from qtw_lab.lab.passing import environment_of

if TYPE_CHECKING:
    from qtw_lab.lab.report import Report
    from qtw_lab.lab.trading_desk import TradingDesk
    from qtw_lab.live.client import Live
    from qtw_lab.live.profile import Profile
    from qtw_lab.live.trading.bar_replay import BarReplay
    from qtw_lab.live.trading.terms import SessionTerms
    from qtw_lab.strategies import Strategy
    from qtw_lab.venues.paper.embedded import EmbeddedBroker
    from qtw_lab.venues.simulator.server import Simulator


class Present:
    """The part of a `Lab` that deals with the present."""

    settings: Settings

    def live(
        self,
        profile: Profile | str | Path | dict[str, Any] = "retail_second",
        *,
        feed: str | None = None,
        speed: float | None = None,
        simulator: Simulator | None = None,
    ) -> Live:
        """The realtime engine: it runs in a process of its own, which this starts, watches and stops.

        Parameters
        ----------
        profile : Profile, dict, str or path
            What to watch and how to decide: a profile, its values, the name of a template ("retail_second",
            "retail_minute"), or a JSON file.
        feed : str, optional
            "sip", "iex", "test", or "simulator"; by default the profile's, and "simulator" without Alpaca keys.
        speed : float, optional
            Of a simulator: its seconds in one of ours; by default that of `simulator`, else 1.
        simulator : Simulator, optional
            The market to listen to, already served.

        Returns
        -------
        Live
            Not started; see `qtw_lab.live.client.Live`.

        Raises
        ------
        DataError
            If the profile is wrong; every fault is named.

        Examples
        --------
        >>> from qtw_lab import Lab
        >>> Lab.offline().live({"focus": {"size": 20}}).profile.focus.size
        20
        """
        from qtw_lab.lab import realtime
        from qtw_lab.live.client import Live

        settings = self.settings if simulator is None else realtime.pointed_to(self.settings, simulator)
        arguments = _market(settings, feed, speed, simulator)
        return Live(realtime.profile_of(profile), realtime.places(settings), arguments, environment_of(settings))

    def simulator(self, **options: Any) -> Simulator:
        """An Alpaca-compatible exchange on loopback, not started: use it in a `with` block, or call `start`.

        Parameters
        ----------
        options
            As `qtw_lab.lab.realtime.simulator`: symbols, bundled, recorded, date, seed, scenario, speed, port ...

        Raises
        ------
        DataError, SetupError
            If the market cannot be made so, or a part is not installed.

        Examples
        --------
        >>> from qtw_lab import Lab
        >>> Lab.offline().simulator(symbols=3, speed=60.0).clock.speed
        60.0
        """
        from qtw_lab.lab import realtime

        return realtime.simulator(**options)

    def desk(
        self,
        sessions: SessionTerms | Sequence[SessionTerms] = (),
        *,
        feed: str | None = None,
        speed: float | None = None,
        simulator: Simulator | None = None,
    ) -> TradingDesk:
        """A trading desk: sessions that trade parts of one account, in a process of its own.

        Parameters
        ----------
        sessions : SessionTerms or sequence of them
            To be opened, if there are none of these names yet; see `session`.
        feed, speed, simulator
            As of `live`; with a simulator its account is traded.

        Returns
        -------
        TradingDesk
            Not started; see `qtw_lab.lab.trading_desk.TradingDesk`.
        """
        from qtw_lab.lab import realtime
        from qtw_lab.lab.trading_desk import TradingDesk
        from qtw_lab.live.trading.terms import SessionTerms

        settings = self.settings if simulator is None else realtime.pointed_to(self.settings, simulator)
        arguments = _market(settings, feed, speed, simulator)
        opening = (sessions,) if isinstance(sessions, SessionTerms) else tuple(sessions)
        return TradingDesk(settings, opening, arguments, environment_of(settings))

    def session(self, name: str, strategy: Strategy | str, symbols: Any, interval: str, **terms: Any) -> SessionTerms:
        """What a session is opened with; keywords as of `qtw_lab.live.trading.terms.SessionTerms.given`.

        Examples
        --------
        >>> from qtw_lab import Lab
        >>> Lab.offline().session("first", "sma_cross", "AAPL,IBM", "1min", allocation=0.5).symbols
        ('AAPL', 'IBM')
        """
        from qtw_lab.live.trading.terms import SessionTerms

        return SessionTerms.given(name, strategy, symbols, interval, **terms)

    def paper_report(self, date: str | None = None) -> Report:
        """The day at the desk that was used last, on one page; as `qtw_lab.lab.paper_report.daily`."""
        from qtw_lab.lab.paper_report import daily

        return daily(self.settings, date)

    def relive(self, strategy: Strategy | str, bars: Bars, **terms: Any) -> BarReplay:
        """Live through bars at a paper desk, one after the other; as `qtw_lab.lab.reliving.relived`.

        Examples
        --------
        >>> from qtw_lab import Lab
        >>> lab = Lab.offline()
        >>> bars = lab.bars("AAPL", "2012-01-01", "2012-06-30")
        >>> lived = lab.relive("buy_and_hold", bars)
        >>> f"{lived.equity('session').iloc[-1] - lab.backtest('buy_and_hold', bars).equity.iloc[-1]:.2f}"
        '0.00'
        """
        from qtw_lab.lab.reliving import relived

        return relived(strategy, bars, **terms)

    def paper(self, **options: Any) -> EmbeddedBroker:
        """A paper account in this process, at a market of this machine whose time runs.

        Parameters
        ----------
        options
            As `qtw_lab.lab.paper.embedded`: symbols, bundled, date, seed, start, speed, cash, fill_model, book.

        Returns
        -------
        EmbeddedBroker
            With `account`, `positions`, `orders`, `submit`, `cancel` and the rest of a `Broker`.

        Raises
        ------
        DataError, SetupError
            If the market cannot be made so, or the book cannot be opened.

        Examples
        --------
        >>> from qtw_lab import Lab
        >>> broker = Lab.offline().paper(symbols=3, cash=5_000.0)
        >>> str(broker.account().cash), broker.positions()
        ('5000', {})
        """
        from qtw_lab.lab import paper

        return paper.embedded(**options)


def _market(settings: Settings, feed: str | None, speed: float | None, simulator: Simulator | None) -> list[str]:
    """Arguments that name a market: that of Alpaca with keys, a simulator without."""
    if feed is None and (simulator is not None or settings.alpaca_api_key_id is None):
        feed = "simulator"
    if speed is None:
        speed = 1.0 if simulator is None else simulator.clock.speed
    return [*(["--feed", feed] if feed else []), "--speed", str(speed)]
