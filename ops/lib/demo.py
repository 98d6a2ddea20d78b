"""Pays sample payouts through the HTTP API and shows them until they are confirmed (used by ops/demo).

Environment: API_URL, API_TOKEN, TRON_RPC_URL, WALLET_ADDRESS. Exit code 1 where a payout is not confirmed in time or a
balance on the network is not exactly what it must be. All amounts are integers of micro-USDT. Standard library only.
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
AMOUNTS = ["12.5", "0.01", "100.000001", "3.141592", "250", "9999.999999", "1", "42.42"]
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
        self.is_live = sys.stdout.isatty()
        self.height = 0
        self.began = time.monotonic()

    def change(self, payout, state, detail):
        is_news = payout.get("state") != state
        payout["state"], payout["detail"] = state, detail
        if is_news and not self.is_live:
            seconds = time.monotonic() - self.began
            print(f"{seconds:7.2f} s  {payout['id']}  {shown(payout['amount']):>12} USDT  {state}", flush=True)

    def draw(self):
        if not self.is_live:
            return
        width = os.get_terminal_size().columns
        lines = [f"{'recipient':34}  {'USDT':>12}  {'state':10}  waits for"]
        for payout in self.payouts:
            lines.append(
                f"{payout['recipient']:34}  {shown(payout['amount']):>12}  {payout['state']:10}  {payout['detail']}")
        back = f"\x1b[{self.height}F" if self.height else ""
        self.height = len(lines)
        print(back + "\n".join(line[: width - 1] + "\x1b[K" for line in lines), flush=True)


def pay():
    run = secrets.token_hex(6)
    payouts = []
    for index, amount in enumerate(AMOUNTS):
        recipient = base58check(b"\x41" + secrets.token_bytes(20))
        payouts.append({"recipient": recipient, "amount": micro(amount), "before": balance(recipient)})
        answer = api(
            "POST",
            "/payouts",
            {"recipient_address": recipient, "amount_usdt": amount, "reason": "custom", "router_type": "v0"},
            {"Idempotency-Key": f"demo-{run}-{index}"},
        )
        payouts[-1]["id"] = answer["payout_id"]
    return payouts


def follow(payouts):
    table = Table(payouts)
    for payout in payouts:
        table.change(payout, "queued", "")
    end = time.monotonic() + PATIENCE_SECONDS
    finals = {"confirmed", "failed", "rejected", "expired", "cancelled", "settled_externally"}
    while True:
        for payout in payouts:
            if payout["state"] in finals:
                continue
            answer = api("GET", "/payouts/" + payout["id"])
            waiting = answer.get("waiting_for") or {}
            payout["txid"] = answer.get("txid")
            table.change(payout, answer["status"], waiting.get("detail", "transaction " + str(payout["txid"])))
        table.draw()
        if all(payout["state"] in finals for payout in payouts) or time.monotonic() > end:
            return
        time.sleep(POLL_SECONDS)


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
    wallet_before = balance(WALLET)
    payouts = pay()
    follow(payouts)
    sys.exit(0 if judge(payouts, wallet_before) else 1)


main()
