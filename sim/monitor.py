"""The engine `rtl` on endless audio: the simulated machine, period after period."""

from collections.abc import Generator, Iterable

from golden.monitor import Codes, Endless, Raw
from hw.config import Config
from hw.endless import Exchange, LoweredEndless, lower_endless
from hw.packets import Command
from sim.build import Report, silent
from sim.engine import PATIENCE, RtlEngine, check_replies
from sim.job import Phase, Played
from sim.live import Talk, talking


class RtlFollower:
    """Follows a stream in simulation; an engine of `golden.monitor`.

    Parameters
    ----------
    config
        The machine.
    report
        Called with a line before and after a build.
    """

    name = "rtl"

    def __init__(self, config: Config, *, report: Report = silent) -> None:
        self._engine = RtlEngine(config, report=report)

    def follow(self, endless: Endless, codes: Iterable[Codes]) -> Generator[Raw]:
        """Yield each score's raw result, see `golden.monitor.Follower`.

        Raises
        ------
        FitError
            The network does not fit the machine.
        SimulationError
            The machine hung, answered with an error or broke a rule of its streams.
        """
        lowered = lower_endless(endless, self._engine.config)
        with talking(self._engine.model, patience(lowered)) as talk:
            load(talk, lowered)
            for exchange in lowered.exchanges(codes):
                played = played_on(talk, exchange)
                if exchange.score:
                    yield lowered.raw(played.replies)


def patience(lowered: LoweredEndless) -> int:
    """Return the cycles that a phase may take."""
    return PATIENCE * (lowered.cycles + 4 * lowered.lowered.weights.size)


def load(talk: Talk, lowered: LoweredEndless) -> None:
    """Make a network resident."""
    packets = tuple(lowered.load_packets())
    played = talk.play(Phase(packets=packets, replies=len(packets)))
    check_replies(played, [Command.PROGRAM, Command.WEIGHTS])


def played_on(talk: Talk, exchange: Exchange) -> Played:
    """Play an exchange; each of its packets must be confirmed."""
    played = talk.play(Phase(packets=exchange.packets, replies=exchange.replies))
    check_replies(played, [Command(int(packet[0]) >> 24) for packet in exchange.packets])
    return played
