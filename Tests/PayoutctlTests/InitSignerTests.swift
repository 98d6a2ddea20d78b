import Foundation
import Keystore
import Ledger
import Payouts
import TestSupport
import Testing

/// `payoutctl signer init` on a real PostgreSQL and a real devnet.
struct InitSignerTests {
  private func environment(_ scene: CommandLineScene, _ devnet: RunningDevnet) -> [String: String] {
    [
      "LUCID_ENV": "dev", "DATABASE_URL": scene.url, "TRON_NETWORK": "devnet", "TRON_GENESIS_BLOCK_ID": devnet.genesis,
      "TRON_RPC_URL": devnet.url, "TRON_PRIVATE_KEY": devnet.keyText, "SIGNER_NAME": "signer-1",
      "SIGNER_STATE_DIR": "\(scene.folder.path)/state",
    ]
  }

  private func initialize(_ environment: [String: String]) async throws -> TestProcess.Outcome {
    try await CommandLineScene.payoutctl(["signer", "init"], environment)
  }

  @Test func `a new wallet is declared once, and calling again changes nothing`() async throws {
    // Proves the whole of a first start: schema, journal, wallet, begin block; and that the second call finds it all,
    // also after the wallet has begun to sign.
    let scene = try await CommandLineScene()
    let devnet = try await RunningDevnet()
    let environment = environment(scene, devnet)
    let outcome = try await initialize(environment)
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    #expect(outcome.output.contains("wallet  \(devnet.key.address)"))
    #expect(!(outcome.output + outcome.errors).contains(devnet.keyText))

    let watch = try #require(try await scene.ledger.watch())
    #expect(watch.wallets == [devnet.key.address])
    let stateFolder = "\(scene.folder.path)/state"
    let journal = try FileJournal.open(directory: stateFolder, signer: "signer-1")
    #expect(journal.wallet == devnet.key.address)
    #expect(try await scene.ledger.declaredJournal(of: "signer-1")?.journalID == journal.id)
    #expect(try FileManager.default.attributesOfItem(atPath: stateFolder)[.posixPermissions] as? Int == 0o700)

    // This test holds the journal's lock, as a running Signer does.
    let whileRunning = try await initialize(environment)
    #expect(whileRunning.exitCode == 1 && whileRunning.errors.contains("held by a running Signer"))
    withExtendedLifetime(journal) {}
  }

  @Test func `calling again after the wallet has signed changes nothing`() async throws {
    // Proves that a declared Signer is never refused for the past that it has made itself.
    let scene = try await CommandLineScene()
    let devnet = try await RunningDevnet()
    let environment = environment(scene, devnet)
    #expect(try await initialize(environment).exitCode == 0)
    let before = try await scene.sql("SELECT encode(journal_id, 'hex') FROM journals")
    try await devnet.operate()
    let again = try await initialize(environment)
    #expect(again.exitCode == 0, "\(again.errors)")
    #expect(again.output.contains("was declared before"))
    #expect(try await scene.sql("SELECT encode(journal_id, 'hex') FROM journals") == before)
    #expect(try await scene.sql("SELECT count(*) FROM wallets") == "1")
  }

  @Test func `a wallet that has signed before waits one quarantine`() async throws {
    // "signer init, which records the block to begin from and, where the wallet has a past, waits one quarantine."
    let scene = try await CommandLineScene()
    let devnet = try await RunningDevnet()
    try await devnet.operate()
    let outcome = try await initialize(environment(scene, devnet))
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    #expect(outcome.output.contains("waits   one quarantine"))
    #expect(try await scene.ledger.watch()?.wallets == [devnet.key.address])
    #expect(try await scene.sql("SELECT signer || cause FROM quarantines") == "signer-1wallet_past")
    // Again changes nothing, and the command that shows it says that nobody has begun it yet.
    #expect(try await initialize(environment(scene, devnet)).exitCode == 0)
    #expect(try await scene.sql("SELECT count(*) FROM quarantines") == "1")
    let shown = try await CommandLineScene.payoutctl(["quarantine"], environment(scene, devnet))
    #expect(shown.output.contains("wallet_past") && shown.output.contains("a running Signer begins it"), "\(shown)")
  }

  @Test func `a call that died after making the journal is completed by the next`() async throws {
    // Proves that the file made first is the one that is declared.
    let scene = try await CommandLineScene()
    let devnet = try await RunningDevnet()
    let state = "\(scene.folder.path)/state"
    try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: true)
    let id = [UInt8](repeating: 0xa7, count: 16)
    try FileJournal.create(directory: state, signer: "signer-1", wallet: devnet.key.address, id: id)
    let outcome = try await initialize(environment(scene, devnet))
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    #expect(try await scene.ledger.declaredJournal(of: "signer-1")?.journalID == id)
  }

  @Test func `a lost journal and another wallet under a known name are refused`() async throws {
    // Proves that no new journal ever takes the place of a declared one: what the lost one held would be unknown.
    let scene = try await CommandLineScene()
    let devnet = try await RunningDevnet()
    var environment = environment(scene, devnet)
    #expect(try await initialize(environment).exitCode == 0)
    let state = "\(scene.folder.path)/state"
    try FileManager.default.moveItem(atPath: state, toPath: state + "-away")
    let lost = try await initialize(environment)
    #expect(lost.exitCode == 1 && lost.errors.contains("there is none in"), "\(lost.errors)")
    #expect(!FileManager.default.fileExists(atPath: state))
    // A person says that it is lost for good: another one waits a quarantine to take its place.
    let said = try await CommandLineScene.payoutctl(["signer", "init", "--journal-lost"], environment)
    #expect(said.exitCode == 0 && said.output.contains("waits   one quarantine"), "\(said)")
    #expect(
      try await scene.sql("SELECT cause || (journal_id NOT IN (SELECT journal_id FROM journals)) FROM quarantines")
        == "journal_losttrue")
    try FileManager.default.removeItem(atPath: state)

    try FileManager.default.moveItem(atPath: state + "-away", toPath: state)
    environment["TRON_PRIVATE_KEY"] = String(repeating: "77", count: 32)
    let other = try await initialize(environment)
    #expect(other.exitCode == 1, "\(other.errors)")
    #expect(try await scene.sql("SELECT count(*) FROM wallets") == "1")
  }

  @Test func `a node of another network is refused with 78`() async throws {
    // Proves the genesis check: nothing is written before it.
    let scene = try await CommandLineScene()
    let devnet = try await RunningDevnet()
    var environment = environment(scene, devnet)
    environment["TRON_GENESIS_BLOCK_ID"] = String(repeating: "ab", count: 32)
    let outcome = try await initialize(environment)
    #expect(outcome.exitCode == 78)
    #expect(outcome.errors.contains("genesis"), "\(outcome.errors)")
    #expect(!FileManager.default.fileExists(atPath: "\(scene.folder.path)/state"))
  }

  @Test func `a node that is away is passed over, a proxy that is away is not`() async throws {
    // Proves that it asks the nodes that Signer asks, by the same ways: the next one, but never past the proxy.
    let scene = try await CommandLineScene()
    let devnet = try await RunningDevnet()
    var environment = environment(scene, devnet)
    // Three, of which two must agree on the block to begin from and tell of the wallet's past.
    let sameUnderAnotherName = devnet.url.replacing("127.0.0.1", with: "localhost")
    environment["TRON_RPC_URL"] = "http://127.0.0.1:1,\(devnet.url),\(sameUnderAnotherName)"
    environment["TOR_ENABLED"] = "true"
    environment["TOR_PROXY"] = "127.0.0.1:1"
    let closed = try await initialize(environment)
    #expect(closed.exitCode == 1 && closed.errors.contains("unreachable"), "\(closed.errors)")
    #expect(!FileManager.default.fileExists(atPath: "\(scene.folder.path)/state"))
    environment["TOR_ENABLED"] = "false"
    let open = try await initialize(environment)
    #expect(open.exitCode == 0, "\(open.errors)")
  }

  @Test(arguments: ["../signer", "a/b", ".hidden", "a b", "ü", String(repeating: "n", count: 65)])
  func `a name that Signer would refuse is refused before anything is made`(name: String) async throws {
    // A declared name stands in the ledger for ever: one that no Signer can bear would keep all from vouching.
    let scene = try await CommandLineScene()
    let outcome = try await initialize([
      "LUCID_ENV": "dev", "DATABASE_URL": scene.url, "TRON_NETWORK": "devnet",
      "TRON_GENESIS_BLOCK_ID": String(repeating: "ab", count: 32), "TRON_RPC_URL": "http://127.0.0.1:1",
      "TRON_PRIVATE_KEY": String(repeating: "77", count: 32), "SIGNER_NAME": name,
      "SIGNER_STATE_DIR": "\(scene.folder.path)/state",
    ])
    #expect(outcome.exitCode == 78 && outcome.errors.contains("SIGNER_NAME"), "\(outcome.errors)")
    #expect(!FileManager.default.fileExists(atPath: "\(scene.folder.path)/state"))
    #expect(try await scene.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == "0")
  }

  @Test func `a wrong passphrase is found before anything is made`() async throws {
    let scene = try await CommandLineScene()
    let devnet = try await RunningDevnet()
    let keystore = "\(scene.folder.path)/wallet.json"
    _ = try await Keystore.create(
      at: keystore, passphrase: Passphrase("right"), cost: try ScryptCost(n: 4_096, r: 8, p: 1))
    var environment = environment(scene, devnet)
    environment["TRON_PRIVATE_KEY"] = nil
    environment["TRON_KEYSTORE_FILE"] = keystore
    environment["TRON_KEYSTORE_PASSPHRASE"] = "wrong-one"
    let outcome = try await initialize(environment)
    #expect(outcome.exitCode == 78)
    #expect(outcome.errors.contains("passphrase") && !outcome.errors.contains("wrong-one"))

    environment["TRON_KEYSTORE_PASSPHRASE"] = "right"
    let right = try await initialize(environment)
    #expect(right.exitCode == 0, "\(right.errors)")
  }

  @Test func `a database that is away is told in one line`() async throws {
    let scene = try await CommandLineScene()
    let devnet = try await RunningDevnet()
    var environment = environment(scene, devnet)
    environment["DATABASE_URL"] = "postgresql://u:hunter2@127.0.0.1:1/x"
    let outcome = try await initialize(environment)
    #expect(outcome.exitCode == 1)
    #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
    #expect(outcome.errors.contains("database") && !outcome.errors.contains("hunter2"))
  }
}
