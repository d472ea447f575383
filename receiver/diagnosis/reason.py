"""What the catalogue says of one reason."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from receiver.diagnosis.values import Severity

Need: TypeAlias = Literal["webhooks", "observations", "time", "studio_api", "probe", "gate", "credential"]
Kind: TypeAlias = Literal["failure", "answer", "expired"]


@dataclass(frozen=True, slots=True)
class ReasonEntry:
    """One reason: what it means, which evidence it needs, what to do next. A `credential` is the viewer's, given with
    the question (`POST /v1/playback/explain`).

    `kind` is `failure` where the condition is true, `answer` where it is false or unknown, `expired` where it is
    unknown because what it rested on has faded. `absence` says that it rests on something that did not come:
    a failure of webhooks mutes it.
    """

    name: str
    meaning: str
    needs: tuple[Need, ...]
    next_step: str = ""
    severity: Severity = "warning"
    kind: Kind = "failure"
    absence: bool = False
