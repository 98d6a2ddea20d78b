import Keystore
import Payouts
import Synchronization
import Testing
import Tron

@testable import Simulation

/// What a node may say that is not so.
@Suite struct NodeLieTests {
  private static let start = SimulatedWorld.beginning

  private let host = SimulationHost(seed: 7, start: NodeLieTests.start)
  private let chain = SimulatedChain(now: NodeLieTests.start, solidLag: 3)
  private let process: SimulatedProcess
  private let transaction: SignedTransaction

  init() throws {
    process = SimulatedProcess("worker-1", in: host)
    let key = HotWalletKey(try PrivateKey(hex: SimulatedWorld.signerKey))
    transaction = try UnsignedTransaction.tokenTransfer(
      owner: key.address, token: SimulatedWorld.token,
      to: try Address(bytes: [0x41] + [UInt8](repeating: 9, count: 20)),
      amount: try Amount(microUSDT: 1), referenceBlock: chain.latest(.solid).block.header.id,
      expiration: Timestamp(milliseconds: Self.start + 60_000), timestamp: Timestamp(milliseconds: Self.start),
      feeLimit: Sun(1)
    ).signed(by: key)
  }

  private func node(_ site: String, _ channel: Channel, _ lie: Happening, isLying: Bool) -> SimulatedNode {
    let fault = Fault(
      place: FaultPlace(process: "worker-1", site: site, ordinal: 1), channel: channel, happening: lie)
    return SimulatedNode(
      chain: chain, host: host, gate: FaultGate(FaultPlan(listed: [fault]), seed: 7, host: host), process: process,
      oracle: Oracle(chain, WorldSettings()), isLying: isLying)
  }

  /// What a request comes to.
  private func ask<Answer: Sendable>(_ request: @escaping @Sendable () async throws -> Answer) throws -> Answer {
    let answer = Mutex<Answer?>(nil)
    process.start {
      guard let told = try? await request() else { return }
      answer.withLock { $0 = told }
    }
    _ = host.run(until: host.now + 20_000)
    return try #require(answer.withLock { $0 })
  }

  @Test(
    "a node says that it has, takes or has no time for a transaction, and drops it: it may pay all the same",
    arguments: [
      (Happening.saysKnown, BroadcastCode.duplicateTransaction, true), (.saysTaken, .success, true),
      (.saysBusy, .serverBusy, false),
    ], [false, true])
  func refusals(lie: (Happening, BroadcastCode, Bool), isLying: Bool) throws {
    let (site, channel): (String, Channel) = isLying ? ("lie about broadcast", .lie) : ("broadcast", .broadcast)
    let node = node(site, channel, lie.0, isLying: isLying)
    let bytes = transaction.bytes
    let answers = try ask { [try await node.broadcast(bytes), try await node.broadcast(bytes)] }
    #expect(answers[0].code == lie.1 && answers[0].isTaken == lie.2)
    // The second time nobody lies: what was dropped is new to the node.
    #expect(answers[1].code == .success)
    #expect(chain.broadcasts == [transaction] && chain.pending == [transaction.txid])
  }

  @Test("a transaction that is in no block is put into one, under a header that does or does not fit, and it paid")
  func putsIn() throws {
    chain.noteBroadcast(transaction)
    let height = chain.height(.solid)
    for number in [height - 1, height] {
      let truth = try #require(chain.produced(number, .solid)).block
      let lying = node("lie about block", .lie, .putsIn, isLying: true)
      let told = try #require(try ask { try await lying.block(number, .solid) })
      #expect(told.transactions.map(\.txid) == [transaction.txid])
      #expect(told.isBodyProven == (told.header.id != truth.header.id))
      #expect(told.isBodyProven == (number % 2 == 0))
      let receipts = node("lie about receipts", .lie, .putsIn, isLying: true)
      let receipt = try #require(try ask { try await receipts.receipts(ofBlock: number, .solid) }.first)
      #expect(receipt.txid == transaction.txid && receipt.result == .success && receipt.logs.count == 1)
    }
    #expect(chain.payments.isEmpty)
  }

  @Test("what is in a block already is put into none, and an honest node puts nothing anywhere")
  func putsNothingIn() throws {
    let number = chain.height(.solid)
    let honest = node("lie about block", .lie, .putsIn, isLying: false)
    let lying = node("lie about block", .lie, .putsIn, isLying: true)
    let early = try #require(try ask { try await lying.block(number, .solid) })
    #expect(early.transactions.isEmpty)
    chain.noteBroadcast(transaction)
    let told = try #require(try ask { try await honest.block(number, .solid) })
    #expect(told.transactions.isEmpty)
  }
}
