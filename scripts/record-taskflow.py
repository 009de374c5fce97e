#!/usr/bin/env python3
"""Records flows as OpenStack TaskFlow runs them, for test/flow/recorded.test.ts.

    apt-get install python3-taskflow
    python3 scripts/record-taskflow.py            # records every flow of the file again
    python3 scripts/record-taskflow.py --check    # fails if TaskFlow now gives other lines
    python3 scripts/record-taskflow.py --add 20 --seed 7   # adds random flows

The file has one JSON object per line: `flow` describes a flow, `state` and `lines` are what TaskFlow's serial engine
did with it. Lines: `atom OLD>NEW`, `call atom {inputs}`, `revert atom`, hooks as `preExecute atom`, and the progress
that an atom reports as `progress atom 0.5`.

TaskFlow keeps atoms that may run at the same time in sets, so their order is not defined. The recording orders them by
TaskFlow's own `priority`: what was added first runs first (in a graph after sorting by links), and what began last is
reverted first. Calls that ended together are processed in the order in which they began.
"""
import argparse
import json
import logging
import pathlib
import random
import sys

from taskflow import deciders, engines, exceptions, retry, states, task
from taskflow.engines.action_engine import builder
from taskflow.patterns import graph_flow, linear_flow, unordered_flow
from taskflow.types import notifier

FILE = pathlib.Path(__file__).parent.parent / "test" / "flow" / "recorded.ndjson"
PATTERNS = {"linear": linear_flow.Flow, "unordered": unordered_flow.Flow, "graph": graph_flow.Flow}
DEPTHS = ("ALL", "FLOW", "NEIGHBORS", "ATOM")


class Run:
    """One recorded run: its lines, and the order of atoms."""

    def __init__(self):
        self.lines = []
        self.engine = None
        self.indexes = {}
        self.turns = {}
        self.begun = {}

    def changed(self, state, details):
        name = details.get("task_name") or details.get("retry_name")
        old = details["old_state"]
        if old == state:
            return
        if state in (states.RUNNING, states.REVERTING):
            self.begun[name] = len(self.lines)
        if state == states.RUNNING:
            self.turns[name] = len(self.lines) + 1
        self.lines.append(f"{name} {old}>{state}")

    def priority(self, name):
        if self.engine is None:
            return 0
        if self.engine.storage.get_atom_intention(name) == states.EXECUTE:
            return -self.indexes[name]
        return self.turns.get(name, 0)


class Done(set):
    """Calls that have ended: the one that began first is processed first."""

    def pop(self):
        first = min(self, key=lambda call: call.atom.run.begun[call.atom.name])
        self.remove(first)
        return first


class Memory(builder.MachineMemory):
    def __init__(self):
        super().__init__()
        self.done = Done()


class RecordedTask(task.Task):
    """A task that writes a line for each of its calls."""

    def __init__(self, spec, run):
        self.run = run
        self.spec = spec
        self.failures = spec.get("failures", 0)
        self.pre_failures = spec.get("preFailures", 0)
        super().__init__(
            name=spec["name"],
            provides=spec.get("provides"),
            requires=spec.get("requires"),
            rebind=spec.get("rebind"),
            inject=spec.get("inject"),
            revert_requires=spec.get("revertRequires"),
        )

    @property
    def priority(self):
        return self.run.priority(self.name)

    def hook(self, name):
        if self.spec.get("hooks"):
            self.run.lines.append(f"{name} {self.name}")

    def pre_execute(self):
        self.hook("preExecute")
        if self.pre_failures > 0:
            self.pre_failures -= 1
            raise RuntimeError(f"{self.name} is not ready")

    def post_execute(self):
        self.hook("postExecute")

    def pre_revert(self):
        self.hook("preRevert")
        if self.spec.get("preRevertFails"):
            raise RuntimeError(f"{self.name} can't be undone")

    def post_revert(self):
        self.hook("postRevert")

    def execute(self, **inputs):
        self.run.lines.append(line("call", self.name, inputs))
        for part in self.spec.get("progress", []):
            self.run.lines.append(f"progress {self.name} {part:g}")
            self.update_progress(part)
        if self.failures > 0:
            self.failures -= 1
            raise RuntimeError(f"{self.name} is bad")
        gives = self.spec.get("gives", f"{self.name}!")
        return tuple(gives) if isinstance(gives, list) else gives

    def revert(self, **inputs):
        wanted = self.spec.get("revertRequires", [])
        self.run.lines.append(line("revert", self.name, {name: inputs[name] for name in wanted}))
        if self.spec.get("revertFails"):
            raise RuntimeError(f"{self.name} can't be undone")


def line(verb, name, inputs):
    return f"{verb} {name}" + (f" {json.dumps(inputs, separators=(',', ':'))}" if inputs else "")


def controller(kind, *given, name, run, provides=None):
    makes = {
        "times": lambda: retry.Times(given[0], name=name, provides=provides),
        "timesAll": lambda: retry.Times(given[0], name=name, provides=provides, revert_all=True),
        "forEach": lambda: retry.ForEach(given[0], name=name, provides=provides),
        "forEachAll": lambda: retry.ForEach(given[0], name=name, provides=provides, revert_all=True),
        "parameterizedForEach": lambda: retry.ParameterizedForEach(
            name=name, provides=provides, rebind={"values": given[0]}
        ),
        "alwaysRevert": lambda: retry.AlwaysRevert(name=name, provides=provides),
        "alwaysRevertAll": lambda: retry.AlwaysRevertAll(name=name, provides=provides),
    }
    made = makes[kind]()
    made.__class__ = type("Recorded" + kind, (made.__class__,), {"priority": property(lambda a: run.priority(a.name))})
    made.run = run
    return made


def build(spec, run):
    given = spec.get("retry")
    made = None
    if given is not None:
        made = controller(*given, name=f"{spec['flow']}_retry", run=run, provides=spec.get("retryProvides"))
    flow = PATTERNS[spec["kind"]](spec["flow"], retry=made)
    parts = [build(part, run) if "flow" in part else RecordedTask(part, run) for part in spec["parts"]]
    flow.parts = parts
    for part in parts:
        flow.add(part)
    for source, target, *more in spec.get("links", []):
        decider = more[0] if more else None
        if decider is None:
            flow.link(parts[source], parts[target])
        else:
            says = decider["says"]
            depth = deciders.Depth.translate(decider["depth"])
            flow.link(parts[source], parts[target], decider=lambda history, says=says: says, decider_depth=depth)
    return flow


def record(spec):
    """Runs a flow. Returns the state of each of its runs, joined, and the lines."""
    run = Run()
    flow = build(spec, run)
    engine = engines.load(flow, engine="serial", store=spec.get("store", {}))
    run.indexes = {name: index for index, name in enumerate(order(flow))}
    engine.atom_notifier.register(notifier.Notifier.ANY, run.changed)
    engine.compile()
    engine.prepare()
    run.engine = engine
    ends = []
    for turn in range(spec.get("runs", 1)):
        if turn > 0:
            try:
                engine.reset()
            except exceptions.InvalidState:
                ends.append("NO_RESET")
                break
        try:
            engine.run()
        except Exception:  # the failure of an atom, which TaskFlow throws again at the end
            pass
        ends.append(engine.storage.get_flow_state())
    return {"flow": spec, "state": " ".join(ends), "lines": run.lines}


def order(flow):
    """Yields the names of the atoms in the order in which they start if they can: controllers before the parts of their
    flow, parts in the order in which they were added, but in a graph each after all that it waits for."""
    if isinstance(flow, task.Task):
        yield flow.name
        return
    if flow.retry is not None:
        yield flow.retry.name
    parts = list(flow.parts)
    links = [(u, v) for u, v, _ in flow.iter_links()] if isinstance(flow, graph_flow.Flow) else []
    waits = {part: sum(v is part for _, v in links) for part in parts}
    ready = [part for part in parts if waits[part] == 0]
    for part in ready:
        yield from order(part)
        for _, other in [link for link in links if link[0] is part]:
            waits[other] -= 1
            if waits[other] == 0:
                ready.append(other)


class Maker:
    """Maker of random nested flows."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.flows = self.atoms = 0

    def make(self):
        self.flows = self.atoms = 0
        flow = self.flow(0)
        if self.random.random() < 0.15:
            flow["runs"] = 2
        return flow

    def recordings(self):
        """Yields recordings of flows in which something fails or is left out, and which can be compared."""
        while True:
            spec = self.make()
            if any(word in json.dumps(spec) for word in ("ailures", "Fails", "says")):
                recording = record(spec)
                if is_comparable(recording):
                    yield recording

    def flow(self, depth):
        rnd = self.random
        spec = {"flow": f"f{self.flows}", "kind": rnd.choice(["linear", "unordered", "graph"])}
        self.flows += 1
        parts = [self.part(depth) for _ in range(rnd.randint(1, 4 if depth == 0 else 3))]
        spec["parts"] = parts
        if rnd.random() < 0.45:
            spec["retry"] = rnd.choice(
                [["times", 2], ["times", 3], ["timesAll", 2], ["forEach", [1, 2]], ["alwaysRevert"], ["alwaysRevertAll"]]
            )
        if spec["kind"] == "graph":
            links = []
            for target in range(1, len(parts)):
                if rnd.random() < 0.6:
                    link = [rnd.randrange(target), target]
                    if rnd.random() < 0.4:
                        link.append({"says": rnd.random() < 0.5, "depth": rnd.choice(DEPTHS)})
                    links.append(link)
            if links:
                spec["links"] = links
        return spec

    def part(self, depth):
        rnd = self.random
        if depth < 2 and rnd.random() < 0.35:
            return self.flow(depth + 1)
        spec = {"name": f"a{self.atoms}"}
        self.atoms += 1
        if rnd.random() < 0.2:
            spec["failures"] = rnd.choice([1, 1, 2, 3])
        if rnd.random() < 0.05:
            spec["revertFails"] = True
        if rnd.random() < 0.2:
            spec["hooks"] = True
            if rnd.random() < 0.3:
                spec["preFailures"] = 1
        if rnd.random() < 0.1:
            spec["progress"] = [0.25, 0.75]
        return spec


def is_comparable(recording):
    """Returns False for what docs/taskflow-differences.md lists: test/flow/differs.ndjson has an example of each."""
    lines = recording["lines"]
    ends = recording["state"].split()
    if any(one.endswith("PENDING>REVERTING") for one in lines):
        return False  # it reverted an atom that never ran
    if "RUNNING" in ends or "NO_RESET" in ends:
        return False  # it stopped halfway, or could not be reset after a failed revert
    if "FAILURE" in ends and not any(one.endswith("REVERT_FAILURE") for one in lines):
        return False  # it stopped at a failure below a controller that was left out
    return recording["flow"].get("runs", 1) == 1 or not any("_retry" in one for one in lines)  # tries survive a reset


def text(recording):
    return json.dumps(recording, separators=(",", ":"), ensure_ascii=False)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--check", action="store_true", help="compare with the file instead of writing it")
    options.add_argument("--add", type=int, default=0, metavar="N", help="add N random flows in which something fails")
    options.add_argument("--seed", type=int, default=1, help="of the random flows")
    options.add_argument("--file", type=pathlib.Path, default=FILE, help="default: test/flow/recorded.ndjson")
    given = options.parse_args()
    logging.disable(logging.CRITICAL)
    builder.MachineMemory = Memory
    before = given.file.read_text().splitlines()
    after = [{**json.loads(one), **record(json.loads(one)["flow"])} for one in before]
    specs = [one["flow"] for one in after]
    maker = Maker(given.seed)
    known = {json.dumps(spec) for spec in specs}
    for _ in range(given.add):
        after.append(next(one for one in maker.recordings() if json.dumps(one["flow"]) not in known))
        known.add(json.dumps(after[-1]["flow"]))
    if given.check:
        changed = [f"line {i + 1}" for i, (old, new) in enumerate(zip(before, after)) if json.loads(old) != new]
        sys.exit(f"TaskFlow now gives other lines: {', '.join(changed)}" if changed else 0)
    given.file.write_text("".join(f"{text(one)}\n" for one in after))


main()
