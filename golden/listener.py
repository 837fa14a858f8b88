"""The front-end on endless audio: samples come in pieces of any length, codes frame by frame."""

import numpy as np
from numpy.typing import NDArray

from golden.front_end import FrontEnd, logarithm, mel_block, quantise


class Listener:
    """Hears a stream: the codes are those that `golden.front_end.codes` gives for all of it.

    A frame is transformed at the place in its block where it would stand there, so that also the
    order of additions is the same; what is held is less than one analysis window and one hop.

    Parameters
    ----------
    front_end
        How to hear; its levels must be absolute, for a stream has no maximum, and its frames not
        centred, for it has no end.
    bits
        Bits of a code, 1 to 8.

    Raises
    ------
    ValueError
        Its levels are relative to a clip's maximum, or its frames centred.
    """

    def __init__(self, front_end: FrontEnd, bits: int = 8) -> None:
        if front_end.reference != "absolute":
            raise ValueError(
                f"the front-end's reference must be absolute to hear endless audio, not"
                f" {front_end.reference}",
            )
        if front_end.centred:
            raise ValueError(
                "the front-end's kind must be log-mel to hear endless audio, which has no end to"
                f" pad, not {front_end.kind}",
            )
        self._front_end = front_end
        self._bits = bits
        self._held = np.zeros(0, np.float32)
        self._skip = 0  # samples to come that no frame needs: hops beyond the window
        self._room = np.empty((front_end.block_frames, front_end.window))
        self._frame = 0  # the next one's place in its block

    def hear(self, samples: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return the codes of the frames that `samples` complete, uint8 ``[1, band, frame]``."""
        hearing = self._front_end
        skip = min(self._skip, samples.size)
        self._skip -= skip
        held = np.concatenate([self._held, samples[skip:]])
        count = max(0, (held.size - hearing.window) // hearing.hop + 1)
        done = min(count * hearing.hop, held.size)
        self._skip += count * hearing.hop - done
        self._held = held[done:].copy()
        if count == 0:
            return np.zeros((1, hearing.bands, 0), np.uint8)
        windows = np.lib.stride_tricks.sliding_window_view(held, hearing.window)
        frames = windows[:: hearing.hop][:count]
        blocks, at = [], 0
        while at < count:
            end = min(count, at + hearing.block_frames - self._frame)
            blocks.append(mel_block(frames[at:end], hearing, self._room, self._frame))
            self._frame = (self._frame + end - at) % hearing.block_frames
            at = end
        log = logarithm(np.concatenate(blocks, axis=1), hearing).astype(np.float32)
        return quantise(log, hearing, self._bits)
