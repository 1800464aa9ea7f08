"""Goes back to the first routing, as a new revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.control.rollback import rollback
from streamer.demo.acts.change_routing import AUTHOR, let_serve
from streamer.demo.stage import ENDPOINT
from streamer.errors import StreamerError

if TYPE_CHECKING:
    from streamer.demo.stage import Stage


def roll_back(stage: Stage) -> None:
    """Returns when the old content serves again."""
    stage.screen.act(f"Roll back (streamer rollback {ENDPOINT} --to 1)")
    result = rollback(stage.settings, f"routing/{ENDPOINT}", to=1, author=AUTHOR).documents[0]
    if not result.succeeded or result.revision is None:
        raise StreamerError("the rollback failed", where=result.key)
    stage.screen.say(f"revision {result.revision} is what revision 1 was")
    let_serve(stage, result.revision)
