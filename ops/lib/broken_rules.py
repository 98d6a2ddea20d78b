"""Breaks one rule after the other and runs what must catch it (see ops/broken-rules).

A rule is broken by replacing a piece of source text by another one; each piece must occur exactly once. What catches it is a
filter of 'swift test' or a run of the simulator: each that is listed must say what is wrong, and not only end badly. Where
the simulator tells the shortest schedule that fails, that is replayed, and must fail too. That all of them are quiet without
the change is seen by running them so: 'ops/broken-rules --unbroken'.
"""

import pathlib
import re
import subprocess
import sys
import time

SIGNER, MONITOR, LEDGER, TRON = "Sources/Signer/", "Sources/Monitor/", "Sources/Shared/Ledger/", "Sources/Shared/Tron/"
MODEL = "Sources/Simulation/Ledger/"
SIMULATE = ".build/debug/simulate"
STORM = "simulate --seed 1 --schedules 200 --jobs 2"

RULES = {
    "broadcast before commit": {
        "edits": [
            (
                SIGNER + "SignBatches.swift",
                "      for round in made.withLock({ $0 }) { remember(entries(of: round)) }\n",
                "      for round in made.withLock({ $0 }) {\n"
                "        for entry in entries(of: round) { _ = try? await outlook.node.broadcast(entry.signedBytes) }\n"
                "        remember(entries(of: round))\n      }\n",
            ),
            (SIGNER + "ChainOutlook.swift", "  private let node: any TronNode\n", "  let node: any TronNode\n"),
        ],
        "caught by": [STORM],
    },
    "broadcast before the own journal is synced": {
        "edits": [
            (
                SIGNER + "BroadcastTransactions.swift",
                "    try await write(intact, under: lot.life)\n    earlierAttempts.journaled(intact)\n"
                "    let (answers, unbegun) = await send(intact)\n",
                "    let (answers, unbegun) = await send(intact)\n    try await write(intact, under: lot.life)\n"
                "    earlierAttempts.journaled(intact)\n",
            )
        ],
        "caught by": [STORM, "test ^SignerTests.BroadcastTests"],
    },
    "no live-attempt constraint": {
        "edits": [
            (
                LEDGER + "Migrations/M010Quarantine.swift",
                "CREATE UNIQUE INDEX one_live_or_paid_attempt_a_reference",
                "CREATE INDEX one_live_or_paid_attempt_a_reference",
            )
        ],
        "caught by": ["test ^LedgerTests.AttemptGuardTests"],
    },
    "sign again after a time-out": {
        "edits": [
            (
                MODEL + "LedgerTables+chain.swift",
                "&& $0.entry.expiration <= solid.time\n",
                "&& $0.entry.expiration <= now\n",
            ),
            (
                LEDGER + "Ledger+solid.swift",
                "AND t.expiration_ms <= c.block_time_ms AND t.reference_block_number < c.number\n",
                "AND t.expiration_ms <= extract(epoch FROM ledger_now()) * 1000\n",
            ),
            (
                MONITOR + "JudgeLate.swift",
                "    let transaction = candidate.transaction\n    let window",
                "    let transaction = candidate.transaction\n    if transaction.status != .anomalous { return .dead }\n"
                "    let window",
            ),
        ],
        "caught by": [STORM, "test ^MonitorTests.VerdictStoryTests"],
    },
    "DUP taken for accepted": {
        "edits": [
            (
                LEDGER + "Ledger+broadcast.swift",
                "          UPDATE transactions t SET last_answer = n.answer, status = 'sent'\n",
                "          UPDATE transactions t SET last_answer = n.answer, status = 'sent', next_broadcast_at =\n"
                "            CASE WHEN n.answer LIKE 'DUP%' THEN 'infinity' ELSE t.next_broadcast_at END\n",
            )
        ],
        "caught by": ["test ^SignerTests.BroadcastTests"],
    },
    "one node trusted for dead": {
        "edits": [
            (
                TRON + "Verdict/AgreedReading.swift",
                "    if let last = window.last, !agreedIDs.contains(last.place.id) {\n",
                "    if let last = window.last, agreedIDs.contains(last.place.id) {\n",
            )
        ],
        "caught by": ["test ^MonitorTests.QuorumTests", "test ^SignerTests.QuorumTests"],
    },
    "the block after the expiration not read": {
        "edits": [
            (
                TRON + "Verdict/ReadBlock.swift",
                "      window.append(block)\n",
                "      if block.place.time >= expiration, !window.isEmpty { return window }\n      window.append(block)\n",
            )
        ],
        "caught by": ["test ^TronTests.ReadBlockTests"],
    },
    "a body not checked against its root": {
        "edits": [
            (
                TRON + "BlockAnswer.swift",
                "      provenLeaves.count == leaves.count && header.transactionRoot == BlockHashing.root(ofLeaves: "
                "provenLeaves)\n",
                "      provenLeaves.count <= leaves.count\n",
            )
        ],
        "caught by": ["test ^TronTests.BlockHashingTests"],
    },
    "SUCCESS with another log taken for failure": {
        "edits": [
            (
                TRON + "Verdict/TransactionVerdict+judge.swift",
                '      return .anomalous(place, finding: "SUCCESS, but not exactly the Transfer that was signed")\n',
                '      return .failedOnChain(place, cost, result: "REVERT")\n',
            )
        ],
        "caught by": ["test ^TronTests.VerdictTests"],
    },
    "no quarantine": {
        "edits": [
            (
                LEDGER + "Migrations/M010Quarantine.swift",
                "        WHERE solid.view = 'solid' AND solid.number > q.begin_block_number AND solid.block_time_ms >= "
                "q.until_ms)\n",
                "        WHERE solid.view = 'solid')\n",
            )
        ],
        "caught by": ["test ^LedgerTests.QuarantineTests", "test ^LedgerTests.OwnWordTests", "test ^SignerTests.RestoreTests"],
    },
    "cancel or expiry while not continuous": {
        "edits": [
            (
                LEDGER + "Migrations/M011Orders.swift",
                "          IF NOT trusted OR change.was IN ('kyc_pending', 'compliance_pending', 'queued')\n"
                "            AND change.becomes = 'signed' THEN\n",
                "          IF change.was IN ('kyc_pending', 'compliance_pending', 'queued')\n"
                "            AND change.becomes = 'signed' THEN\n",
            )
        ],
        "caught by": ["test ^LedgerTests.StatePairTests", "test ^LedgerTests.QuarantineTests"],
    },
    "timestamps not unique": {
        "edits": [
            (
                SIGNER + "DecideOnPayouts.swift",
                "second * 1_000 + wanted.reference.milliseconds)\n",
                "second * 1_000)\n",
            )
        ],
        "caught by": ["test ^SignerTests.TimeAndLimitTests"],
    },
    "dead counted as the payout's own failure": {
        "edits": [("Sources/Shared/Payouts/FailureBlame.swift", "case nil: self = .expired\n", "case nil: self = .payout\n")],
        "caught by": ["test ^LedgerTests.RetryTests"],
    },
    "the fence opening on a zero-value transfer": {
        "edits": [
            (
                MONITOR + "Fence.swift",
                "wallets.contains(transfer.sender), !transfer.isZero\n",
                "wallets.contains(transfer.sender)\n",
            )
        ],
        "caught by": ["test ^MonitorTests.FenceTests", "test ^MonitorTests.FenceOnDevnetTests"],
    },
}


def run(command: list[str], log: pathlib.Path) -> int:
    with log.open("ab") as output:
        output.write(("$ " + " ".join(command) + "\n").encode())
        output.flush()
        return subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False).returncode


def break_rule(edits: list[tuple[str, str, str]]) -> None:
    for path, old, new in edits:
        file = pathlib.Path(path)
        text = file.read_text()
        if text.count(old) != 1:
            raise SystemExit(f"{path}: the piece to be replaced occurs {text.count(old)} times:\n{old}")
        file.write_text(text.replace(old, new))


def what_failed(log: pathlib.Path, start: int) -> str | None:
    """The first thing that was found wrong; None where nothing is told."""
    for line in log.read_bytes()[start:].decode(errors="replace").splitlines():
        if "recorded an issue" in line or line.startswith("violations: ") and line != "violations: 0":
            return line.strip()[:200]
    return None


def run_catcher(catcher: str, log: pathlib.Path) -> tuple[str | None, bool]:
    """What it says is wrong, None where it is quiet; and whether that counts: what the simulator tells must replay."""
    kind, _, rest = catcher.partition(" ")
    start = log.stat().st_size
    command = (
        [SIMULATE, *rest.split()] if kind == "simulate" else ["swift", "test", "--skip-build", "--filter", rest]
    )
    if run(command, log) == 0:
        return None, False
    what = what_failed(log, start)
    if not what:
        return "it ends badly, without a word of what is wrong", False
    return replayed(what, log, start) if kind == "simulate" else (what, True)


def replayed(what: str, log: pathlib.Path, start: int) -> tuple[str, bool]:
    """The same with how much the shortest schedule holds, and whether its text fails again."""
    text = log.read_bytes()[start:].decode(errors="replace")
    shortest = re.search(r"^the shortest schedule.*?--replay '(.*?)'$", text, re.MULTILINE | re.DOTALL)
    if not shortest:
        return f"{what}; no shortest schedule", False
    again = log.stat().st_size
    run([SIMULATE, "--no-shrink", "--replay", shortest[1]], log)
    found = what_failed(log, again)
    mishaps = sum(1 for line in shortest[0].splitlines() if line.startswith("  ") and "violation" not in line)
    return f"{what}; the shortest of them, of {mishaps} mishaps, replayed: {found}", bool(found)


def try_rule(name: str, rule: dict, log: pathlib.Path) -> bool:
    files = [edit[0] for edit in rule["edits"]]
    began = time.monotonic()
    try:
        break_rule(rule["edits"])
        if run(["swift", "build", "--build-tests"], log) != 0:
            print(f"{name}: DOES NOT BUILD, see {log}", flush=True)
            return False
        found = [(catcher, run_catcher(catcher, log)) for catcher in rule["caught by"]]
        is_caught = all(counts for _, (_, counts) in found)
        print(f"{name}: {'caught' if is_caught else 'NOT CAUGHT'} ({time.monotonic() - began:.0f} s)", flush=True)
        for catcher, (what, counts) in found:
            print(f"  {'by' if counts else 'NOT BY'} {catcher}: {what}", flush=True)
        return is_caught
    finally:
        subprocess.run(["git", "checkout", "--quiet", "--", *files], check=True)


def main(names: list[str]) -> int:
    if names == ["--list"]:
        print("\n".join(RULES))
        return 0
    if subprocess.run(["git", "status", "--porcelain", "--", "Sources"], capture_output=True, check=True).stdout:
        print("there are changes in Sources, which would be lost: commit or put them away first", file=sys.stderr)
        return 64
    log = pathlib.Path(".run/broken-rules.log")
    log.parent.mkdir(exist_ok=True)
    log.write_bytes(b"")
    if names == ["--unbroken"]:
        catchers = sorted({catcher for rule in RULES.values() for catcher in rule["caught by"]})
        loud = [f"{catcher}: {what}" for catcher in catchers if (what := run_catcher(catcher, log)[0])]
        print("\n".join(loud) or f"{len(catchers)} catchers are quiet on what is not broken")
        return 1 if loud else 0
    if unknown := [name for name in names if name not in RULES]:
        print(f"no such rule: {', '.join(unknown)}; 'ops/broken-rules --list' names them", file=sys.stderr)
        return 64
    wrong = [name for name in names or RULES if not try_rule(name, RULES[name], log)]
    print(f"{len(names or RULES) - len(wrong)} broken rules caught, {len(wrong)} not" + "".join(f"; {n}" for n in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
