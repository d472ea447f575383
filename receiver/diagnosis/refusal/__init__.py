"""Why playback was refused: what the playback node and the gate check, one after the other (FACTS 7).

Pure. `explain` takes what the player has (`Asked`), what is known of the content (`Access`) and the moment, and gives
one finding for each of `CHECKS`, in the order in which node and gate decide. A token is read, never trusted.
"""

from receiver.diagnosis.refusal.explaining import CHECKS, explain
from receiver.diagnosis.refusal.values import Access, Asked, Check, Explained, GateHistory, Known, Probed, SigningKey

__all__ = ["CHECKS", "Access", "Asked", "Check", "Explained", "GateHistory", "Known", "Probed", "SigningKey", "explain"]
