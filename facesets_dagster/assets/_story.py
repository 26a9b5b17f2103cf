"""The log of a run as a story: one line per phase, with its seconds, and the run's tags."""

import time

import dagster as dg


class Story:
    """Tells phases of one asset; seconds are counted from the end of the phase before."""

    def __init__(self, context: dg.AssetExecutionContext, **tags: str) -> None:
        """`tags`: put on the run as `facesets/<name>`, where they can be searched for."""
        self._context = context
        self._began = self._last = time.monotonic()
        self.tag(**tags)

    def tell(self, text: str) -> None:
        """A line in the run's log."""
        now = time.monotonic()
        self._context.log.info(f"{text} ({now - self._last:.1f} s)")
        self._last = now

    def tag(self, **tags: str) -> None:
        """Tags on the run."""
        if not tags:
            return
        try:
            run_id = self._context.run.run_id
        except dg.DagsterError:  # The asset was called as a function: there is no run to tag.
            return
        self._context.instance.add_run_tags(run_id, {f"facesets/{name}": value for name, value in tags.items()})

    def seconds(self) -> float:
        """Since the asset began."""
        return round(time.monotonic() - self._began, 3)
