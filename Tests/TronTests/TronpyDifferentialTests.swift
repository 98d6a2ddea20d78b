// Proves that every byte of ours is every byte of tronpy's, the Python client that others pay with: 1,000 transfers of
// keys, amounts, addresses, blocks and times drawn anew each run. Its own offline builder makes half of them; it knows
// neither memo nor permission, so for the rest these two are set on its protobuf message before it serializes.
import Foundation
import Payouts
import TestSupport
import Testing
import Tron

@Suite struct TronpyDifferentialTests {
  private static let python = """
    import json, sys
    from tronpy import Contract, Tron
    from tronpy.keys import PrivateKey
    from tronpy.proto import tron_pb2, transaction as offline
    client = Tron()
    ABI = [{"type": "Function", "name": "transfer", "stateMutability": "Nonpayable", "outputs": [{"type": "bool"}],
            "inputs": [{"name": "to", "type": "address"}, {"name": "value", "type": "uint256"}]}]
    for line in sys.stdin:
        q = json.loads(line)
        key = PrivateKey(bytes.fromhex(q["key"]))
        owner = key.public_key.to_base58check_address()
        if "token" in q:
            contract = Contract(addr=q["token"], abi=ABI, client=client)
            builder = contract.functions.transfer.with_owner(owner)(q["to"], int(q["amount"])).fee_limit(int(q["fee_limit"]))
        else:
            builder = client.trx.transfer(owner, q["to"], int(q["amount"]))
        builder._raw_data["timestamp"] = int(q["timestamp"])
        builder._raw_data["expiration"] = int(q["expiration"])
        built = builder.build(offline=True, ref_block_id=q["block"])
        message = offline._raw_data_to_protobuf(built._raw_data)
        if "memo" in q:
            message.data = bytes.fromhex(q["memo"])
        if "permission" in q:
            message.contract[0].Permission_id = int(q["permission"])
        raw = message.SerializeToString()
        txid = __import__("hashlib").sha256(raw).hexdigest()
        if "memo" not in q and "permission" not in q:
            assert txid == built.txid, "tronpy disagrees with itself"
        signature = key.sign_msg_hash(bytes.fromhex(txid))
        whole = tron_pb2.Transaction(raw_data=message, signature=[bytes.fromhex(signature.hex())])
        print(json.dumps({"owner": owner, "raw": raw.hex(), "txid": txid, "signature": signature.hex(),
                          "whole": whole.SerializeToString().hex()}))
    """

  private struct Question: Encodable {
    let key, to, amount, block, timestamp, expiration: String
    let token, fee_limit, memo, permission: String?
  }

  private struct Answer: Decodable, Equatable {
    let owner, raw, txid, signature, whole: String
  }

  /// Numbers of every size, the extremes often.
  private func number(_ generator: inout SeededGenerator) -> Int64 {
    if Int.random(in: 0..<20, using: &generator) == 0 { return Bool.random(using: &generator) ? 1 : .max }
    return Int64.random(in: 1...(Int64.max >> Int64.random(in: 0...61, using: &generator)), using: &generator)
  }

  @Test func `a thousand transfers equal tronpy's in raw_data, txid, signature and as a whole`() async throws {
    var generator = SeededGenerator(printedFor: "tronpy")
    var ours: [Answer] = []
    var lines: [String] = []
    for _ in 0..<1_000 {
      let key = try TestKey(generator.bytes(32))
      let recipient = Address(account: generator.bytes(20))
      let token = Bool.random(using: &generator) ? Address(account: generator.bytes(20)) : nil
      let block = BlockID(exactly: generator.bytes(32))
      let amount = number(&generator)
      let feeLimit = number(&generator)
      let timestamp = number(&generator)
      let expiration = number(&generator)
      let isPlain = Bool.random(using: &generator)
      let memo = isPlain ? nil : generator.bytes(Int.random(in: 1...200, using: &generator))
      let permission = isPlain ? nil : Int32.random(in: 2...9, using: &generator)
      let unsigned: UnsignedTransaction
      if let token {
        unsigned = try .tokenTransfer(
          owner: key.address, token: token, to: recipient, amount: try Amount(microUSDT: amount), referenceBlock: block,
          expiration: Timestamp(milliseconds: expiration), timestamp: Timestamp(milliseconds: timestamp),
          feeLimit: Sun(feeLimit), permissionID: permission, memo: memo)
      } else {
        unsigned = try .trxTransfer(
          owner: key.address, to: recipient, amount: Sun(amount), referenceBlock: block,
          expiration: Timestamp(milliseconds: expiration), timestamp: Timestamp(milliseconds: timestamp),
          permissionID: permission, memo: memo)
      }
      let signed = try unsigned.signed(by: key)
      #expect(try SignedTransaction(bytes: signed.bytes) == signed)
      ours.append(
        Answer(
          owner: key.address.description, raw: Hex.text(unsigned.rawData), txid: unsigned.txid.description,
          signature: Hex.text(signed.bytes.suffix(65)), whole: Hex.text(signed.bytes)))
      let question = Question(
        key: Hex.text(key.bytes), to: recipient.description, amount: "\(amount)", block: block.description,
        timestamp: "\(timestamp)", expiration: "\(expiration)", token: token?.description,
        fee_limit: token == nil ? nil : "\(feeLimit)", memo: memo.map { Hex.text($0) },
        permission: permission.map { "\($0)" })
      lines.append(String(decoding: try JSONEncoder().encode(question), as: UTF8.self))
    }
    let theirs = try await PythonScript.run(Self.python, lines: lines)
    for (number, (line, mine)) in zip(theirs, ours).enumerated() {
      #expect(try JSONDecoder().decode(Answer.self, from: Data(line.utf8)) == mine, "case \(number): \(lines[number])")
    }
  }
}
