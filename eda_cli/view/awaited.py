"""What a run that starts waits for, as its journals tell it. Pure; knows no terminal."""

from __future__ import annotations

from eda_cli.journal import Observation

NAMED = 3  # parts by their names; of more their number


class Awaited:
    """A fold: `text` is what is waited for, empty while nothing was told; `log` the broker's last log line, if that helps."""

    def __init__(self) -> None:
        self.text = self.log = ""
        self._parts: dict[str, bool] = {}  # those that started: whether they are ready

    def see(self, observation: Observation) -> None:
        """Fold one observation in."""
        fields = observation.fields
        match observation.kind:
            case "starting" | "waiting":
                self.text, self.log = str(fields.get("text", "")), str(fields.get("log", ""))
            case "crashed":
                again = f"; again in {fields['again_in_s']:g} s" if fields.get("again_in_s") else ""
                self.text = f"{observation.part}: {fields.get('reason', 'it crashed')}{again}"
                self.log = str((fields.get("log") or [""])[-1])
            case "ready" if observation.part == "keeper":
                self.text, self.log = "making topics and groups", ""
            case "started" if observation.part not in ("run", "keeper", "stubs"):
                self._tell_parts(observation, False)
            case "ready" | "finished" if observation.part not in ("run", "stubs"):
                self._tell_parts(observation, True)

    def _tell_parts(self, observation: Observation, ready: bool) -> None:
        self._parts[f"{observation.part}.{observation.fields.get('replica') or 1}"] = ready
        late = list(dict.fromkeys(name.rpartition(".")[0] for name, there in self._parts.items() if not there))
        if late:
            self.text = f"starting {', '.join(late) if len(late) <= NAMED else f'{len(late)} parts'}"
            self.log = ""
