// Proves which events are token transfers and which only resemble one, and which results prove a failure.
import Payouts
import Testing
import Tron

@Suite struct EventLogTests {
  private func event(
    topics: [[UInt8]]? = nil, data: [UInt8] = [UInt8](repeating: 0, count: 31) + [7]
  ) -> EventLog {
    let word = [UInt8](repeating: 0, count: 12) + [UInt8](repeating: 0x0a, count: 20)
    return EventLog(
      address: Vectors.token, topics: topics ?? [TokenTransfer.eventTopic, word, word], data: data)
  }

  @Test func `a transfer is read`() throws {
    let transfer = try #require(event().transfer)
    #expect(transfer.amount?.microUSDT == 7)
    #expect(!transfer.isZero)
    #expect(event(data: [UInt8](repeating: 0, count: 32)).transfer?.isZero == true)
  }

  @Test func `a value beyond Int64 is a transfer without an amount of ours, and not zero`() throws {
    let most = [UInt8](repeating: 0, count: 24) + [0x7f] + [UInt8](repeating: 0xff, count: 7)
    #expect(try #require(event(data: most).transfer).amount?.microUSDT == .max)
    for value in [
      [UInt8](repeating: 0, count: 24) + [0x80] + [UInt8](repeating: 0, count: 7), [UInt8](repeating: 0xff, count: 32),
    ] {
      let transfer = try #require(event(data: value).transfer)
      #expect(transfer.amount == nil)
      #expect(!transfer.isZero)
    }
  }

  @Test func `what only resembles a transfer is none`() {
    let word = [UInt8](repeating: 0, count: 12) + [UInt8](repeating: 0x0a, count: 20)
    let dirty = [1] + word.dropFirst()
    let topic = TokenTransfer.eventTopic
    #expect(event(topics: []).transfer == nil)
    #expect(event(topics: [topic, word]).transfer == nil)
    #expect(event(topics: [topic, word, word, word]).transfer == nil)
    #expect(event(topics: [word, word, word]).transfer == nil)
    #expect(event(topics: [topic, dirty, word]).transfer == nil)
    #expect(event(topics: [topic, word, [UInt8](word.dropFirst())]).transfer == nil)
    #expect(event(data: []).transfer == nil)
    #expect(event(data: [UInt8](repeating: 0, count: 31)).transfer == nil)
    #expect(event(data: [UInt8](repeating: 0, count: 33)).transfer == nil)
  }

  // Protocol reference §1.2 and §5.6; DESIGN §3 point 5: only a named failure frees a payout.
  @Test(arguments: [
    ("DEFAULT", false), ("SUCCESS", false), ("REVERT", true), ("BAD_JUMP_DESTINATION", true), ("OUT_OF_MEMORY", true),
    ("PRECOMPILED_CONTRACT", true), ("STACK_TOO_SMALL", true), ("STACK_TOO_LARGE", true), ("ILLEGAL_OPERATION", true),
    ("STACK_OVERFLOW", true), ("OUT_OF_ENERGY", true), ("OUT_OF_TIME", true), ("JVM_STACK_OVER_FLOW", true),
    ("UNKNOWN", false), ("TRANSFER_FAILED", true), ("INVALID_CODE", true), ("", false), ("success", false),
    ("REVERTED", false),
  ])
  func `only named failures prove that nothing moved`(name: String, isNamedFailure: Bool) {
    let result = ContractResult(name: name)
    #expect(result.isNamedFailure == isNamedFailure)
    #expect(result.description == name)
  }

  @Test func `known networks have the reference's constants`() throws {
    #expect(Network.mainnet.usdtContract?.description == "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t")
    #expect(Network.nile.usdtContract?.description == "TXYZopYRdj2D9XRtbG411XZZ3kM5VkAeBf")
    #expect(Network.shasta.usdtContract?.description == "TG3XXyExBkPp9nzdajDZsozEu4BkaSJozs")
    // The last four bytes are the chain id that wallets show (reference §7).
    let chainIDs: [(Network, UInt32)] = [(.mainnet, 728_126_428), (.nile, 3_448_148_188), (.shasta, 2_494_104_990)]
    for (network, chainID) in chainIDs {
      let id = try #require(network.genesisBlockID)
      #expect(id.number == 0)
      #expect(id.bytes.suffix(4).reduce(0) { $0 << 8 | UInt32($1) } == chainID)
    }
    #expect(Network.devnet.genesisBlockID == nil && Network.devnet.usdtContract == nil)
    let txid = TxID(hashing: [])
    #expect(Network.mainnet.explorerURL(of: txid) == "https://tronscan.org/#/transaction/\(txid)")
    #expect(Network.nile.explorerURL(of: Address.zero) == "https://nile.tronscan.org/#/address/\(Address.zero)")
    #expect(Network.shasta.explorerURL(of: txid)?.hasPrefix("https://shasta.tronscan.org/#/") == true)
    #expect(Network.devnet.explorerURL(of: txid) == nil)
  }
}
