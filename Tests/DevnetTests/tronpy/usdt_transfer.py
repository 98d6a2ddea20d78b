"""Uses tronpy, as its own documentation shows it, against the node at the given URL.

usage: usdt_transfer.py URL PRIVATE_KEY_HEX RECIPIENT TOKEN

Ends with 0 when a block and balances were read and a USDT transfer (and a TRX transfer) confirmed on the solid chain;
prints what was seen as one JSON object.
"""

import json
import sys

from tronpy import Tron
from tronpy.exceptions import TransactionNotFound, ValidationError
from tronpy.keys import PrivateKey
from tronpy.providers import HTTPProvider


def main(url: str, key_hex: str, recipient: str, token_address: str) -> None:
    client = Tron(HTTPProvider(url))
    key = PrivateKey(bytes.fromhex(key_hex))
    owner = key.public_key.to_base58check_address()
    seen = {}

    genesis = client.get_block(0)
    assert genesis["blockID"].startswith("0" * 16), genesis
    latest = client.get_latest_block()
    number = latest["block_header"]["raw_data"]["number"]
    by_number = client.get_block(number)
    by_id = client.get_block(latest["blockID"])
    assert by_number["blockID"] == by_id["blockID"] == latest["blockID"]
    assert by_number["block_header"]["raw_data"]["witness_address"].startswith("T")

    seen["trx_before"] = str(client.get_account_balance(owner))
    token = client.get_contract(token_address)
    assert token.functions.symbol() == "USDT"
    assert token.functions.decimals() == 6
    assert token.functions.isBlackListed(owner) is False
    seen["usdt_before"] = token.functions.balanceOf(owner)

    sent = (
        token.functions.transfer(recipient, 12_345_678)
        .with_owner(owner)
        .fee_limit(30_000_000)
        .build()
        .sign(key)
        .broadcast()
    )
    info = sent.wait(timeout=60, interval=0.1)
    assert info["receipt"]["result"] == "SUCCESS", info
    assert info["receipt"]["energy_usage_total"] == 130_285, info
    # The real token's transfer returns false, although it moved the money.
    assert sent.result(timeout=60, interval=0.1) is False
    events = list(token.events.Transfer.process_receipt(info))
    assert [event["args"] for event in events] == [
        {"from": owner, "to": recipient, "value": 12_345_678}
    ], events

    solid = sent.wait(timeout=60, interval=0.1, solid=True)
    assert solid == info, (solid, info)
    assert client.get_latest_solid_block_number() >= info["blockNumber"]
    block = client.get_block(info["blockNumber"])
    assert sent.txid in [transaction["txID"] for transaction in block["transactions"]]
    assert client.get_transaction(sent.txid)["ret"][0]["contractRet"] == "SUCCESS"
    seen["usdt_after"] = token.functions.balanceOf(owner)
    seen["recipient_after"] = token.functions.balanceOf(recipient)

    trx = client.trx.transfer(owner, recipient, 1_000_000).memo("from tronpy").build().sign(key).broadcast()
    trx.wait(timeout=60, interval=0.1)
    seen["trx_sent_result"] = client.get_transaction(trx.txid)["ret"][0]["contractRet"]
    assert client.get_account_balance(recipient) == 1

    try:
        client.trx.transfer(owner, recipient, 10**15).build().sign(key).broadcast()
        raise AssertionError("a transfer beyond the balance was taken")
    except ValidationError as error:
        assert "balance is not sufficient" in str(error), error
    try:
        client.get_transaction_info("00" * 32)
        raise AssertionError("an unknown transaction was found")
    except TransactionNotFound:
        pass

    parameters = {entry["key"]: entry.get("value") for entry in client.get_chain_parameters()}
    assert parameters["getEnergyFee"] == 100, parameters
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
