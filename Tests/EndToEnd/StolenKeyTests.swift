import AsyncHTTPClient
import Foundation
import Keystore
import NIOCore
import Payouts
import TestSupport
import Testing

extension EndToEndTests {
  /// Somebody else has the wallet's key: the fence sees the first thing that is signed with it.
  struct StolenKeyTests {
    /// A block of devnet's: its id and its time.
    private func block(_ stack: Stack, _ path: String) async throws -> (id: BlockID, time: Timestamp) {
      let text = try await Self.post(stack.chain.url + path, "{}")
      let answer = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
      let header = (answer["block_header"] as? [String: Any])?["raw_data"] as? [String: Any]
      return (
        try BlockID(hex: try #require(answer["blockID"] as? String)),
        Timestamp(milliseconds: try #require((header?["timestamp"] as? NSNumber)?.int64Value))
      )
    }

    private static func post(_ url: String, _ body: String) async throws -> String {
      var request = HTTPClientRequest(url: url)
      request.method = .POST
      request.body = .bytes(ByteBuffer(string: body))
      let response = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
      return String(buffer: try await response.body.collect(upTo: 16 << 20))
    }

    /// The key as a thief has it who copied the keystore and saw its passphrase.
    private func stolenKey(_ stack: Stack) async throws -> HotWalletKey {
      try await Keystore.open(
        "\(try stack.files())/wallet.json", passphrase: try Passphrase("correct horse battery staple"))
    }

    @Test func `an approve by a stolen key stops all signing until a person acknowledges it`() async throws {
      // "One that stays means a stolen key: the breaker opens (manual reset only, which acknowledges the findings), operators
      // are called."
      try await Stack.with { stack, client in
        try await stack.start()
        let before = try PayoutClient.Wish.draw(3, "before")
        try await client.pay(before) { _, _ in }
        try await eventually("the first are on their way") {
          try await stack.sql(
            "SELECT count(*) FROM payouts WHERE status IN ('broadcast', 'confirming', 'confirmed')") == "3"
        }

        let key = try await stolenKey(stack)
        let token = try Address(DevnetOracle.token)
        let thief = Address(account: [UInt8](repeating: 0x66, count: 20))
        let reference = try await block(stack, "/walletsolidity/getnowblock")
        let head = try await block(stack, "/wallet/getnowblock")
        let approve = HandMadeTransaction.call(
          by: key.address, of: token, "095ea7b3", [HandMadeTransaction.word(thief), HandMadeTransaction.word(1)],
          referringTo: reference.id, at: head.time)
        let answer = try await Self.post(
          stack.chain.url + "/wallet/broadcasthex", "{\"transaction\":\"\(Hex.text(try approve.signed(by: key)))\"}")
        #expect(answer.contains("\"SUCCESS\""), "\(answer)")
        try await eventually("the breaker is open") {
          try await stack.sql("SELECT state || ' ' || cause FROM breaker") == "open unknown_transaction"
        }
        #expect(
          try await stack.sql("SELECT kind || ' ' || encode(txid, 'hex') FROM unclaimed_transfers")
            == "owned_transaction \(approve.txid)")
        #expect(try await stack.has("alarms WHERE kind = 'unknown_transaction' AND acknowledged_at IS NULL"))

        // What is accepted now waits; what was signed before is followed to its end.
        let after = try PayoutClient.Wish.draw(3, "after")
        let account = Account()
        try await client.pay(after) { await account.record($0, $1) }
        try await eventually("they wait in a batch") {
          try await stack.sql("SELECT count(*) FROM payouts WHERE status = 'scheduled'") == "3"
        }
        try await eventually("the first are confirmed") {
          try await stack.sql("SELECT count(*) FROM payouts WHERE status = 'confirmed'") == "3"
        }
        #expect(try await stack.sql("SELECT count(*) FROM transactions") == "3")
        let shown = try await stack.payoutctl("breaker")
        #expect(shown.contains("owned_transaction \(approve.txid)"), "\(shown)")

        let closed = try await stack.payoutctl("breaker", "close", "--reason", "the key is being replaced")
        #expect(closed.contains("acknowledged owned_transaction \(approve.txid)"), "\(closed)")
        let ids = await account.ids
        try await client.waitUntilConfirmed(after.compactMap { ids[$0] })
        try await stack.expectExactlyOnce(before + after)
      }
    }
  }
}

extension Stack {
  /// The folder of wallet and journals, which stands in devnet's environment.
  nonisolated func files() throws -> String {
    let path = "/proc/\(devnet.processIdentifier)/environ"
    let variables = String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
    guard let folder = variables.split(separator: "\0").first(where: { $0.hasPrefix("STACK_FOLDER=") }) else {
      throw Failure("devnet's environment names no folder")
    }
    return String(folder.dropFirst("STACK_FOLDER=".count))
  }
}
