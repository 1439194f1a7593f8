"""Jobs side by side: a small model's step does not fill several cores, the steps of several models do."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from pipelines.progress import without_bars
from pipelines.validate import DataError

Job = Callable[[Callable[[str], None]], Any]


def run_side_by_side(jobs: Sequence[tuple[str, Job]], at_a_time: int, done: Callable[[int, Any], None]) -> None:
    """Do jobs, each in a new process on its own share of the cores; what it held in memory goes with it.

    Args:
        jobs: names, and functions of ``say(line)``, which puts the name before the line; they and what they return can
            be pickled.
        at_a_time: how many processes.
        done: gets place and result of each job when it is finished.

    Raises:
        DataError: a job raised one, or its process ended by itself.  Then, and when the user interrupts, the others
            are ended, too.
    """
    context = multiprocessing.get_context("spawn")  # a fork of TensorFlow's threads would hang
    os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")  # fewer page faults in the new processes
    waiting, shares = deque(enumerate(jobs)), _shares(at_a_time)
    running: dict[Connection, tuple[int, str, BaseProcess, list[int]]] = {}
    try:
        while waiting or running:
            while waiting and shares:
                place, (name, job) = waiting.popleft()
                cores = shares.pop(0)
                receiver, sender = context.Pipe(duplex=False)
                process: BaseProcess = context.Process(target=_work, args=(name, job, cores, sender), daemon=True)
                process.start()
                sender.close()
                running[receiver] = place, name, process, cores
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                place, name, process, cores = running.pop(ready)
                result = _received(ready, name, process)
                shares.append(cores)
                done(place, result)
    finally:
        for _, _, process, _ in running.values():
            process.terminate()
            process.join()


def _received(receiver: Connection, name: str, process: BaseProcess) -> Any:
    try:
        sentence, result = receiver.recv()
    except EOFError:
        sentence, result = f"{name}: its process ended by itself; free memory, or run fewer at a time.", None
    receiver.close()
    process.join()
    if sentence is not None:
        raise DataError(sentence)
    return result


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)  # it was killed; what it had asked for goes on with its next call


def _work(name: str, job: Job, cores: list[int], sender: Connection) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if cores:
        os.sched_setaffinity(0, cores)  # before TensorFlow counts them
    without_bars()
    try:
        sender.send((None, job(lambda line: print(f"{name}: {line}", flush=True))))
    except DataError as error:
        sender.send((str(error), None))
    except KeyboardInterrupt:
        pass  # the process that asked for this was interrupted, too, and says so


def _shares(count: int) -> list[list[int]]:
    """The cores in so many parts; empty parts, which bind nothing, where they are fewer or the system has no say."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return [cores[i::count] if count <= len(cores) else [] for i in range(count)]
