import Foundation
import TestSupport
import Testing

@testable import Devnet

/// Proves that a chain in a file survives its process, and that only what was pending is lost (tron-protocol.md §3.5).
struct ChainFileTests {
  private let bob = TestWallet.bob.address

  /// A folder that goes with the test.
  private final class Folder {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("devnet-\(UUID())").path
    var file: String { path + "/chain" }

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  private func configuration(_ change: [String: String] = [:]) throws -> DevnetConfiguration {
    var random = SystemRandomNumberGenerator()
    let environment = [
      "DEVNET_PRODUCERS": "3", "DEVNET_FUND": "\(TestWallet.alice.address):1000:1000",
      "DEVNET_MAINTENANCE_MS": "60000",
    ]
    return try DevnetConfiguration(
      environment: environment.merging(change) { $1 }, now: TestChain.genesisTime, random: &random)
  }

  /// Opens the file, hands the chain over, and keeps what became of it.
  private func open(
    _ folder: Folder, _ configuration: DevnetConfiguration, _ body: (inout TestChain) throws -> Void
  ) throws -> Chain {
    var chain: Chain?
    var kept = try KeptChain(folder.file, configuration, chain: &chain)
    var test = TestChain()
    test.chain = try #require(chain)
    test.now = test.headTime
    try body(&test)
    try kept.keep(test.chain)
    return test.chain
  }

  /// Transfers, a failure, stake, a changed price, a switch of the token and permissions: all that makes a state.
  @Test func `a chain goes on after a restart as if nothing had been, but for what was pending`() throws {
    let folder = try Folder()
    let before = try open(folder, try configuration()) { test in
      _ = try test.include(test.usdtTransfer(to: bob, 5))
      test.chain.perform(.propose(.energyPrice, 210))
      test.chain.perform(.blacklist(bob, true))
      _ = try test.include(test.freeze(.energy, trx: 100))
      _ = try test.include(test.usdtTransfer(to: bob, 5, feeLimit: 100))
      test.produce(slots: 20)
      #expect(test.broadcast(test.usdtTransfer(to: bob, 7)) == nil)
    }
    let after = try open(folder, try configuration()) { test in
      #expect(test.chain.pending.count == 0)
      #expect(test.chain.tokenBalance(bob, in: .head) == 5 && test.chain.world(.head).token.blacklist == [bob])
      #expect(test.chain.parameters.energyPrice == 210)
      #expect(test.chain.nextSlotTime == test.headTime + 9_000)
    }
    #expect(after.blocks.map(\.id) == before.blocks.map(\.id))
    #expect(after.solidNumber == before.solidNumber && after.solidNumber > 0)
    for (kept, made) in zip(before.blocks, after.blocks) {
      #expect(kept.transactions.map(\.receipt) == made.transactions.map(\.receipt))
      #expect(kept.witnessSignature == made.witnessSignature && kept.actions == made.actions)
    }
    let alice = TestWallet.alice.address
    #expect(after.account(alice, in: .solid) == before.account(alice, in: .solid))
    // And on, over another restart.
    let longer = try open(folder, try configuration()) { $0.produce(slots: 3) }
    #expect(try open(folder, try configuration()) { _ in }.head.id == longer.head.id)
  }

  /// A call that was timed out by a fault ends in the same way when its block is made again.
  @Test func `a forced failure is kept with its block`() throws {
    let folder = try Folder()
    let before = try open(folder, try configuration()) { test in
      let prepared = test.usdtTransfer(to: bob, 5)
      let ended = test.chain.revalidate(prepared, forced: .outOfTime)
      let receipt = try #require(ended)
      test.chain.append(test.chain.seal([(prepared, receipt)], at: test.chain.nextSlotTime))
    }
    let after = try open(folder, try configuration()) { _ in }
    let receipts = after.head.transactions.map(\.receipt)
    #expect(receipts == before.head.transactions.map(\.receipt) && receipts.first?.result == .outOfTime)
    #expect(receipts.first?.energyFee == 30_000_000)
  }

  /// A death in the middle of a write leaves a torn entry, which nobody has seen.
  @Test(arguments: [1, 11, 12, 40])
  func `a torn last entry is cut off`(size: Int) throws {
    let folder = try Folder()
    let before = try open(folder, try configuration()) { test in
      for _ in 0..<3 { test.produce() }
    }
    let whole = try Data(contentsOf: URL(fileURLWithPath: folder.file))
    // The first bytes of an entry like the last.
    let last = try #require(before.blocks.last)
    let payload = ChainRecord.block(BlockRecord(last)).encoded
    let entry = Data([0, 0, 0, UInt8(payload.count)]) + Data(Hash32.sha256(payload).bytes.prefix(8)) + Data(payload)
    try (whole + entry.prefix(size)).write(to: URL(fileURLWithPath: folder.file))
    #expect(try open(folder, try configuration()) { _ in }.head.id == last.id)
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file)) == whole)
  }

  @Test func `a damaged file is refused, not shortened`() throws {
    let folder = try Folder()
    _ = try open(folder, try configuration()) { test in
      for _ in 0..<3 { test.produce() }
    }
    var bytes = try Data(contentsOf: URL(fileURLWithPath: folder.file))
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: URL(fileURLWithPath: folder.file))
    #expect(throws: ChainFileError.self) { try open(folder, try configuration()) { _ in } }
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file)) == bytes)
  }

  @Test(arguments: [
    ["DEVNET_PRODUCERS": "4"], ["DEVNET_FUND": ""], ["DEVNET_BLOCK_MS": "1500"], ["DEVNET_MAINTENANCE_MS": "90000"],
    ["DEVNET_GENESIS_TIME_MS": "1500000000000"],
  ])
  func `a file that was begun otherwise is refused`(change: [String: String]) throws {
    let folder = try Folder()
    _ = try open(folder, try configuration()) { $0.produce() }
    #expect(throws: ChainFileError.self) { try open(folder, try configuration(change)) { _ in } }
  }

  /// What was done besides transactions is read as it was written, each kind with every number it may hold.
  @Test func `every action is kept as it was`() throws {
    let actions: [ChainAction] =
      ChainParameterKey.allCases.map { .propose($0, $0.range.lowerBound) } + [
        .pauseToken(true), .pauseToken(false), .blacklist(bob, true), .blacklist(bob, false),
        .refuseRecipient(bob, true), .refuseRecipient(bob, false),
        .setTokenFee(basisPoints: 19, maximum: 49_999_999), .setTokenFee(basisPoints: 0, maximum: 0),
        .setTokenOwner(bob), .deprecateToken(upgraded: FakeToken.address), .setCallerEnergyPercent(0),
        .setTokenDemand(.max), .setBalance(bob, 0), .setTokenBalance(bob, .max), .setEnergy(bob, 130_280),
      ]
    for action in actions { #expect(try ChainAction(decoding: action.encoded) == action) }
  }

  /// What an operator of the simulation gives an account is there at once, and after its block.
  @Test func `an account's money and energy can be set`() {
    var test = TestChain()
    for action in [
      ChainAction.setBalance(bob, 7), .setTokenBalance(bob, 5_000_000), .setEnergy(bob, 130_280),
    ] {
      test.chain.perform(action)
    }
    for _ in 0..<2 {
      #expect(test.balance(bob) == 7 && test.chain.tokenBalance(bob, in: .head) == 5_000_000)
      #expect(test.left(.energy, of: bob) == 130_280)
      test.produce()
    }
  }

  @Test func `two networks cannot share a file`() throws {
    let folder = try Folder()
    _ = try open(folder, try configuration()) { _ in
      #expect(throws: ChainFileError.self) { _ = try ChainFile(folder.file) }
    }
  }

  /// Of two branches the later entries count: what they do not hold any more is gone.
  @Test func `a branch takes the place of an earlier one`() throws {
    let folder = try Folder()
    let settings = try configuration()
    var losing: Hash32?
    _ = try open(folder, settings) { test in
      for _ in 0..<2 { test.produce() }
      losing = test.chain.head.id
    }
    var chain: Chain?
    var kept = try KeptChain(folder.file, settings, chain: &chain)
    let old = try #require(chain)
    var other = Chain(genesis: old.genesisBeginning(of: settings), parameters: settings.parameters)
    for slots in [2, 3, 4] as [Int64] {
      other.produceBlock(at: TestChain.genesisTime + slots * 3_000, now: 0)
    }
    try kept.keep(other)
    _ = consume kept
    let made = try open(folder, settings) { _ in }
    #expect(made.blocks.map(\.id) == other.blocks.map(\.id))
    #expect(!made.blocks.map(\.id).contains(try #require(losing)))
  }

  /// The whole program, killed without a warning: what was confirmed before is confirmed after.
  @Test func `the devnet program keeps its chain over a kill`() async throws {
    let folder = try Folder()
    let environment = [
      "DEVNET_PORT": "0", "DEVNET_BLOCK_MS": "100", "DEVNET_PRODUCERS": "1", "DEVNET_STATE_FILE": folder.file,
      "DEVNET_FUND": "\(TestWallet.alice.address):1000:1000",
    ]
    func start() async throws -> (TestProcess, TestNode) {
      let devnet = try TestProcess(try TestProcess.builtExecutable("devnet"), environment: environment)
      let (genesis, url) = try await devnet.waitForOutput(within: .seconds(30)) { output -> (String, String)? in
        let lines = output.split(separator: "\n")
        guard let url = lines.first(where: { $0.hasPrefix("TRON_RPC_URL=") }),
          let genesis = lines.first(where: { $0.hasPrefix("TRON_GENESIS_BLOCK_ID=") })
        else { return nil }
        return (String(genesis.dropFirst(22)), String(url.dropFirst(13)))
      }
      return (devnet, TestNode(url: url, urls: [url], genesisBlockID: genesis, clock: TestClock(0)))
    }
    let (first, node) = try await start()
    let prepared = try await node.usdtTransfer(to: bob, 5)
    _ = try await node.broadcast(prepared)
    let query = #"{"value":"\#(prepared.id.hex)"}"#
    var info = JSON.null
    let deadline = ContinuousClock.now + .seconds(30)
    while info["blockNumber"] == nil {
      try #require(ContinuousClock.now < deadline, "no block took the transfer")
      try await Task.sleep(for: .milliseconds(20))
      info = try await node.post("/walletsolidity/gettransactioninfobyid", query).json
    }
    first.signal(SIGKILL)
    _ = try await first.waitForExit(within: .seconds(30))
    let (second, again) = try await start()
    #expect(again.genesisBlockID == node.genesisBlockID)
    #expect(try await again.post("/walletsolidity/gettransactioninfobyid", query).json == info)
    second.signal(SIGTERM)
    #expect(try await second.waitForExit(within: .seconds(30)).exitCode == 0)
  }
}

extension Chain {
  /// The genesis of this chain, for another one beside it.
  fileprivate func genesisBeginning(of configuration: DevnetConfiguration) -> Genesis {
    var genesis = configuration.genesis
    (genesis.time, genesis.seed) = (blocks[0].header.timestamp, blocks[0].header.parentHash)
    return genesis
  }
}
