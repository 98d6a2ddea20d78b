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

  @Test("a branch of its own holds together from a true block on, for a while, and hides what was paid in it")
  func branches() throws {
    _ = chain.broadcast(transaction, at: Self.start)
    for slot in Int64(1)...8 { chain.produce(at: Self.start + slot * 3_000) }
    let first = try #require(chain.block(of: transaction.txid)).number
    let lying = node("lie about blocks", .lie, .branches, isLying: true)
    func blocks() throws -> [Block] { try ask { try await lying.blocks(from: first, count: 4, .solid) } }
    let told = try blocks()
    #expect(told.count == 4 && told.allSatisfy { $0.transactions.isEmpty && $0.isBodyProven })
    #expect(told[0].header.parentID == chain.produced(first - 1, .solid)?.block.header.id)
    #expect(zip(told, told.dropFirst()).allSatisfy { $0.header.id == $1.header.parentID })
    let truth = (first..<first + 4).compactMap { chain.produced($0, .solid)?.block.header.id }
    #expect(Set(told.map(\.header.id)).isDisjoint(with: truth))
    // It holds to it, and then it does not.
    #expect(try blocks().map(\.header.id) == told.map(\.header.id))
    #expect(try ask { try await lying.receipts(ofBlock: first, .solid) }.isEmpty)
    for _ in 0..<2 { _ = try ask { try await host.sleep(until: host.now + FalseBranch.milliseconds / 2) } }
    #expect(try blocks().map(\.header.id) == truth)
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
