"""The diagnoser: takes what is due, folds, judges, and stores what came of it.

The only place that joins `receiver.diagnosis` and `receiver.storage`. `loop` is its asynchronous face; all the rest
are plain functions of a connection and a moment.
"""

from receiver.diagnoser.loop import Diagnoser, DiagnoserHealth
from receiver.diagnoser.worker_process import WorkerProcess

__all__ = ["Diagnoser", "DiagnoserHealth", "WorkerProcess"]
