"""Pays sample payouts of every batch type through the HTTP API and shows each one's way (used by ops/demo).

usage: demo.py pay     pays them, forks the network once while some are in blocks, and follows them until each is confirmed,
                       or held because it is above the Signer's own limit
       demo.py finish  follows those that were held and released since then, and compares balances and webhooks

Environment: API_URL, API_TOKEN, TRON_RPC_URL, WALLET_ADDRESS, WEBHOOK_URL, RECEIVED (what the receiver wrote), DEMO_STATE (a
file that the second call continues from). Exit code 1 where a payout is not confirmed in time, a balance on the network is
not exactly what it must be, or a webhook is missing or not verified. All amounts are integers of micro-USDT. Standard
library only.
"""

import signal

# Ctrl-C ends this program without a word; ops/demo says what happens then.
signal.signal(signal.SIGINT, signal.SIG_DFL)

import hashlib
import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request

API = os.environ["API_URL"]
TOKEN = os.environ["API_TOKEN"]
NODE = os.environ["TRON_RPC_URL"]
WALLET = os.environ["WALLET_ADDRESS"]
# USDT's contract on mainnet; the simulated network has it at the same address.
USDT = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
# Amount, batch type, priority. One is above the Signer's own limit.
WISHES = [
    ("12.5", "immediate", "normal"),
    ("0.01", "immediate", "low"),
    ("1", "immediate", "urgent"),
    ("9999.999999", "immediate", "normal"),
    ("100.000001", "hourly", "normal"),
    ("3.141592", "hourly", "high"),
    ("250", "daily", "normal"),
    ("42.42", "weekly", "normal"),
]
# How deep the fork goes, in blocks: never below the solid one.
FORK_DEPTH = 3
FINALS = {"confirmed", "failed", "rejected", "expired", "cancelled", "settled_externally"}
PATIENCE_SECONDS = 180
POLL_SECONDS = 0.25
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def micro(text):
    """Micro-USDT of decimal text, exactly."""
    whole, _, fraction = text.partition(".")
    return int(whole) * 10**6 + int(fraction.ljust(6, "0"))


def shown(amount):
    """Decimal text of micro-USDT, always with six decimals so that columns line up."""
    return f"{amount // 10**6}.{amount % 10**6:06d}"


def base58check(payload):
    digest = hashlib.sha256(hashlib.sha256(payload).digest()).digest()
    number = int.from_bytes(payload + digest[:4], "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return text


def account(address):
    """The 20 bytes of an address, in hex, as contracts take them."""
    number = 0
    for character in address:
        number = number * 58 + ALPHABET.index(character)
    return number.to_bytes(25, "big")[1:21].hex()


def call(method, url, body=None, headers=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def api(method, path, body=None, headers=None):
    status, answer = call(method, API + path, body, {"Authorization": "Bearer " + TOKEN, **(headers or {})})
    if status not in (200, 201):
        sys.exit(f"{method} {path} answered {status}: {answer}")
    return answer


def balance(address):
    """USDT on the network, in micro-USDT, as the node itself says."""
    status, answer = call(
        "POST",
        NODE + "/wallet/triggerconstantcontract",
        {
            "owner_address": WALLET,
            "contract_address": USDT,
            "function_selector": "balanceOf(address)",
            "parameter": account(address).rjust(64, "0"),
            "visible": True,
        },
    )
    if status != 200 or not answer.get("constant_result"):
        sys.exit(f"the node does not tell a balance: {status} {answer}")
    return int(answer["constant_result"][0], 16)


class Table:
    """The payouts' states: redrawn in place on a terminal, else one line a change."""

    def __init__(self, payouts):
        self.payouts = payouts
        self.notes = []
        self.is_live = sys.stdout.isatty()
        self.height = 0
        self.began = time.monotonic()

    def change(self, payout, state, detail):
        is_news = payout.get("state") != state
        payout["state"], payout["detail"] = state, detail
        if is_news and not self.is_live:
            seconds = time.monotonic() - self.began
            what = f"{shown(payout['amount']):>12} USDT  {payout['batch_type']:9}  {state}"
            print(f"{seconds:7.2f} s  {payout['id']}  {what}", flush=True)

    def note(self, text):
        """Tells of something that concerns them all."""
        self.notes.append(text)
        if not self.is_live:
            print(f"{time.monotonic() - self.began:7.2f} s  {text}", flush=True)

    def draw(self):
        if not self.is_live:
            return
        width = os.get_terminal_size().columns
        lines = [f"{'recipient':34}  {'USDT':>12}  {'batch':9}  {'state':10}  waits for"]
        for payout in self.payouts:
            lines.append(
                f"{payout['recipient']:34}  {shown(payout['amount']):>12}  {payout['batch_type']:9}  "
                f"{payout['state']:10}  {payout['detail']}")
        lines += self.notes
        back = f"\x1b[{self.height}F" if self.height else ""
        self.height = len(lines)
        print(back + "\n".join(line[: width - 1] + "\x1b[K" for line in lines), flush=True)


def pay():
    run = secrets.token_hex(6)
    payouts = []
    for index, (amount, batch_type, priority) in enumerate(WISHES):
        recipient = base58check(b"\x41" + secrets.token_bytes(20))
        wish = {
            "recipient_address": recipient,
            "amount_usdt": amount,
            "reason": "custom",
            "router_type": "v0",
            "batch_type": batch_type,
            "priority": priority,
            "webhook_url": os.environ["WEBHOOK_URL"],
        }
        before = balance(recipient)
        answer = api("POST", "/payouts", wish, {"Idempotency-Key": f"demo-{run}-{index}"})
        payouts.append(
            {
                "id": answer["payout_id"],
                "recipient": recipient,
                "amount": micro(amount),
                "batch_type": batch_type,
                "before": before,
            }
        )
    return payouts


def follow(payouts, ends, with_fork=False):
    """Shows the payouts until each is in one of the states, or for as long as patience lasts."""
    table = Table(payouts)
    for payout in payouts:
        table.change(payout, payout.get("state", "queued"), payout.get("detail", ""))
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        for payout in payouts:
            if payout["state"] in ends:
                continue
            answer = api("GET", "/payouts/" + payout["id"])
            waiting = answer.get("waiting_for") or {}
            payout["txid"] = answer.get("txid")
            table.change(payout, answer["status"], waiting.get("detail", "transaction " + str(payout["txid"])))
        if with_fork and any(payout["state"] == "confirming" for payout in payouts):
            with_fork = False
            status, answer = call("POST", NODE + "/devnet/fork", {"depth": FORK_DEPTH})
            if status != 200:
                sys.exit(f"the network does not fork: {status} {answer}")
            table.note(f"the network forks: the last {FORK_DEPTH} blocks are undone, and others take their place")
        table.draw()
        if all(payout["state"] in ends for payout in payouts) or time.monotonic() > end:
            return
        time.sleep(POLL_SECONDS)


def webhooks(payouts):
    """Waits for each payout's last webhook; prints what came, and returns whether all is well."""
    expected = {(payout["id"], "payout." + payout["state"]) for payout in payouts}
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        with open(os.environ["RECEIVED"], encoding="utf-8") as file:
            lines = [json.loads(line) for line in file if line.startswith("{") and line.endswith("\n")]
        seen = {(line["payout_id"], line["type"]) for line in lines if line["is_verified"]}
        if expected <= seen or time.monotonic() > end:
            break
        time.sleep(POLL_SECONDS)
    forged = sum(not line["is_verified"] for line in lines)
    print(f"{len({line['id'] for line in lines})} webhooks received, each one's signature verified" if not forged else
          f"{forged} webhooks do NOT verify")
    for payout, event in sorted(expected - seen):
        print(f"NO WEBHOOK: {event} of {payout}")
    return not forged and expected <= seen


def judge(payouts, wallet_before):
    """Prints balances before and after, and whether each is exact; returns whether all is well."""
    paid = sum(payout["amount"] for payout in payouts)
    rows = [(payout["recipient"], payout["before"], balance(payout["recipient"]), payout["amount"]) for payout in payouts]
    rows.append((WALLET + " *", wallet_before, balance(WALLET), -paid))
    print(f"\n{'balance on the network':36}  {'before':>16}  {'after':>16}  {'change':>14}")
    is_exact = True
    for name, before, after, expected in rows:
        change = after - before
        sign = "-" if change < 0 else "+"
        verdict = "exact" if change == expected else f"WRONG, expected {expected} micro-USDT"
        is_exact &= change == expected
        print(f"{name:36}  {shown(before):>16}  {shown(after):>16}  {sign + shown(abs(change)):>14}  {verdict}")
    print("* the hot wallet, which pays")
    unconfirmed = [payout for payout in payouts if payout["state"] != "confirmed"]
    for payout in unconfirmed:
        print(f"NOT CONFIRMED: {payout['id']} is {payout['state']}: {payout['detail']}")
    if is_exact and not unconfirmed:
        print(f"{len(payouts)} payouts of {shown(paid)} USDT confirmed; every balance is exact")
    return is_exact and not unconfirmed


def main():
    path = os.environ["DEMO_STATE"]
    if sys.argv[1:] == ["pay"]:
        state = {"wallet_before": balance(WALLET)}
        state["payouts"] = pay()
        follow(state["payouts"], FINALS | {"held"}, with_fork=True)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(state, file)
        held = [payout["id"] for payout in state["payouts"] if payout["state"] == "held"]
        if len(held) != 1:
            sys.exit(f"one payout is above the Signer's own limit and must be held; held are: {held}")
    elif sys.argv[1:] == ["finish"]:
        with open(path, encoding="utf-8") as file:
            state = json.load(file)
        payouts = state["payouts"]
        follow([payout for payout in payouts if payout["state"] not in FINALS], FINALS)
        # Both, so that both are told.
        verdicts = [judge(payouts, state["wallet_before"]), webhooks(payouts)]
        sys.exit(0 if all(verdicts) else 1)
    else:
        sys.exit("usage: demo.py pay|finish")


main()
