"""Sets up a payout wallet with tronpy, as its own documentation shows it, against the node at the given URL.

usage: hot_wallet.py URL PRIVATE_KEY_HEX COLD_KEY_HEX HOT_KEY_HEX TOKEN

Stakes, lends and takes back energy; gives the account a cold owner and a hot active key that may only pay; pays with the
hot key, with burnt TRX saved by stake. Ends with 0 when all of it went as on the real network; prints one JSON object.
"""

import json
import sys

from tronpy import Tron
from tronpy.exceptions import BadKey, BadSignature
from tronpy.keys import PrivateKey
from tronpy.providers import HTTPProvider

TRX = 1_000_000


def main(url: str, key_hex: str, cold_hex: str, hot_hex: str, token_address: str) -> None:
    client = Tron(HTTPProvider(url))
    key, cold, hot = (PrivateKey(bytes.fromhex(text)) for text in (key_hex, cold_hex, hot_hex))
    owner, cold_address, hot_address = (k.public_key.to_base58check_address() for k in (key, cold, hot))
    seen = {}

    def confirm(builder, signer):
        sent = builder.build().sign(signer).broadcast()
        return sent.wait(timeout=60, interval=0.1, solid=True)

    confirm(client.trx.transfer(owner, cold_address, TRX), key)
    confirm(client.trx.freeze_balance(owner, 30_000 * TRX, "ENERGY"), key)
    confirm(client.trx.delegate_resource(owner, cold_address, 1_000 * TRX, "ENERGY"), key)
    lent = client.get_delegated_resource_v2(owner, cold_address)["delegatedResource"]
    assert [entry["frozen_balance_for_energy"] for entry in lent] == [1_000 * TRX], lent
    seen["lent_energy"] = client.get_account_resource(cold_address)["EnergyLimit"]
    assert client.get_can_delegated_max_size(owner)["max_size"] == 29_000 * TRX
    confirm(client.trx.undelegate_resource(owner, cold_address, 1_000 * TRX, "ENERGY"), key)
    assert client.get_delegated_resource_v2(owner, cold_address) == {}
    seen["energy"] = client.get_energy(owner)

    permissions = client.get_account_permission(owner)
    permissions["owner"]["keys"] = [{"address": cold_address, "weight": 1}]
    permissions["actives"] = [
        {
            "type": "Active",
            "permission_name": "payouts",
            "threshold": 1,
            "operations": "02000080" + "00" * 28,
            "keys": [{"address": hot_address, "weight": 1}],
        }
    ]
    info = confirm(client.trx.account_permission_update(owner, permissions), key)
    seen["update_fee"] = info["fee"] - info["receipt"].get("net_fee", 0)
    account = client.get_account(owner)
    assert account["owner_permission"]["keys"][0]["address"] == cold_address, account
    assert account["active_permission"][0]["id"] == 2, account

    token = client.get_contract(token_address)
    pay = token.functions.transfer(cold_address, 5_000_000).with_owner(owner).fee_limit(30_000_000)
    try:
        pay.permission_id(2).build().sign(key)
        raise AssertionError("the old key may still pay")
    except BadKey:
        pass
    paid = confirm(pay.permission_id(2), hot)
    assert paid["receipt"]["result"] == "SUCCESS", paid
    assert paid["receipt"]["energy_usage"] == 130_285 and "energy_fee" not in paid["receipt"], paid
    seen["paid"] = token.functions.balanceOf(cold_address)
    try:
        client.trx.freeze_balance(owner, TRX, "ENERGY").permission_id(2).build().sign(hot).broadcast()
        raise AssertionError("the hot key may stake")
    except BadSignature as error:
        seen["refused"] = str(error)
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
