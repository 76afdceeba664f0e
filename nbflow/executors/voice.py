"""A worker process's way of telling the pool what its activities write.

Lines are sent when they end, and whatever there is when the activity flushes: so what it said
last is known also of a process that was killed or crashed. Where nothing is written, nothing is
sent.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from typing import NamedTuple

from nbflow.engine import streams
from nbflow.engine.context import Beat
from nbflow.engine.executor import Inbox
from nbflow.engine.job import Job
from nbflow.engine.output import Piece, Transcript
from nbflow.engine.timekeeper import timekeeper
from nbflow.executors.pipe import Channel

BEAT_SECONDS = 0.03
"""Seconds between two signs of life that a worker passes on."""
_logger = logging.getLogger(__name__)


class Said(NamedTuple):
    """What the present job has written since the last message.

    Attributes:
        pieces: The lines that have ended.
        unfinished: The lines that have not, as they stand now, by channel.
        dropped: How many characters were not kept.
        cut_on: The channel of the first of them.
    """

    pieces: list[Piece]
    unfinished: dict[str, str]
    dropped: int
    cut_on: str


class Voice:
    """The worker's end. One job at a time, but any of its threads may write.

    Attributes:
        job: The job that runs. What is left of earlier ones is not listened to.
        words: A job and what it has written; None if none has written anything.
        sign: A job and its latest sign of life, while that is held back.
    """

    def __init__(self, channel: Channel) -> None:
        self.job: Job | None = None
        self.words: tuple[Job, Transcript] | None = None
        self._channel = channel
        self._told = 0
        self._lock = threading.Lock()
        self.sign: tuple[Job, Beat] | None = None
        self._sent = 0.0
        self._late = False
        self._holder = 0
        self._more = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """In a child that an activity has forked, there is nobody to tell."""
        self.job = self.words = self.sign = None
        self._lock = threading.Lock()

    def wrote(self, job: Job, channel: str, text: str) -> None:
        """Take text; send the lines that end with it."""
        if job is not self.job:
            return
        entry = self.words
        if entry is None or entry[0] is not job:
            entry = self.words = (job, Transcript(streams.rules().attempt))
        words = entry[1]
        words.write(channel, text)
        if "\n" in text and words.has_lines():
            self._send()

    def beat(self, job: Job, beat: Beat) -> None:
        """Pass on a sign of life, at most a few dozen a second: the latest of them."""
        if job is not self.job:
            return
        wait = self._sent + BEAT_SECONDS - time.monotonic()
        self.sign = (job, beat)
        if wait <= 0:
            self.pass_on()
        elif not self._late:
            self._late = True
            timekeeper.after(wait, self.pass_on)

    def pass_on(self) -> None:
        """Send the latest sign of life that was held back."""
        with self._lock:
            self._late = False
            entry, self.sign = self.sign, None
            if entry is not None and entry[0] is self.job:
                self._sent = time.monotonic()
                with contextlib.suppress(OSError):  # the pool has closed
                    self._channel.send((entry[1],))

    def flushed(self, job: Job) -> None:
        """Send what there is."""
        if job is self.job and self.words is not None:
            self._send()

    def end(self, job: Job) -> None:
        """Send the rest of a job that was the present one, before the answer goes."""
        with self._lock:
            entry, self.words = self.words, None
            if entry is not None and entry[0] is job:
                self._tell(entry[1], entry[1].rest(), {})
            self._told = 0

    def _send(self) -> None:
        self._more = True
        if self._holder == threading.get_ident():
            return  # written from within the sending: it is seen to further up
        with self._lock:
            self._holder = threading.get_ident()
            try:
                while self._more:
                    self._more = False
                    entry = self.words
                    # Between jobs the pool does not expect to hear anything.
                    if entry is not None and entry[0] is self.job:
                        self._tell(entry[1], entry[1].take(), entry[1].unfinished())
            finally:
                self._holder = 0

    def _tell(self, words: Transcript, pieces: list[Piece], unfinished: dict[str, str]) -> None:
        dropped, self._told = words.dropped - self._told, words.dropped
        with contextlib.suppress(OSError):  # the pool has closed: this process is about to end
            self._channel.send((Said(pieces, unfinished, dropped, words.cut_on),))


class Ear:
    """The pool's end, for one job of one worker."""

    def __init__(self, job: Job, inbox: Inbox) -> None:
        self._job = job
        self._inbox = inbox
        self._unfinished: dict[str, str] = {}

    def hear(self, said: Said | Beat) -> None:
        """Pass on what the job has written, or that it is alive."""
        try:
            if type(said) is Beat:
                self._inbox.beat(self._job, said)
                return
            assert type(said) is Said  # noqa: S101 - there is nothing else
            self._unfinished = said.unfinished
            for channel, text in said.pieces:
                self._inbox.wrote(self._job, channel, text)
            if said.dropped:
                self._inbox.wrote(self._job, said.cut_on, "", said.dropped)
        except Exception:
            # A fault of the run's is its own: the lane goes on with the jobs of others.
            _logger.exception("what %s wrote could not be taken", self._job.call)

    def end(self) -> None:
        """Pass on the lines that a worker which has died did not get to end."""
        self.hear(Said([*self._unfinished.items()], {}, 0, ""))
