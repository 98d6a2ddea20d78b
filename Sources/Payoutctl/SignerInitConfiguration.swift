import Keystore
import Payouts
import Worker

/// What `signer init` reads: the part of Signer's own settings that makes an installation. Signer reads the same keys.
///
/// ## Configuration keys
/// - `LUCID_ENV`, `DATABASE_URL`, and those of `TronConfiguration` and `NodeConfiguration`.
/// - `TRON_KEYSTORE_FILE` (path) and `TRON_KEYSTORE_PASSPHRASE` (secret), or in dev `TRON_PRIVATE_KEY` (secret).
/// - `SIGNER_NAME` (text, default signer) and `SIGNER_STATE_DIR` (path, required).
struct SignerInitConfiguration: SettingsReadable, Sendable {
  let stage: DeploymentStage
  let databaseURL: ServiceURL
  let tron: TronConfiguration
  let nodes: NodeConfiguration
  let wallet: WalletSource
  let signer: String
  let stateDirectory: String

  /// Reads every key.
  init(from settings: inout Settings) {
    stage = settings.deploymentStage()
    databaseURL = settings.url("DATABASE_URL", .postgres)
    tron = TronConfiguration(from: &settings)
    nodes = NodeConfiguration(from: &settings)
    wallet = WalletSource(from: &settings)
    signer = settings.signerName()
    stateDirectory = settings.text("SIGNER_STATE_DIR")
  }
}

/// Whose wallet it is: the key is opened, so that a wrong passphrase is found now and not at the first payout.
struct WalletSource: Sendable {
  private let privateKey: Secret?
  private let keystoreFile: String?
  private let passphrase: Secret?

  init(from settings: inout Settings) {
    privateKey = settings.optionalSecret("TRON_PRIVATE_KEY", minimumBytes: 64)
    keystoreFile = settings.optionalText("TRON_KEYSTORE_FILE")
    passphrase = settings.optionalSecret("TRON_KEYSTORE_PASSPHRASE")
    settings.allowOnlyInDevelopment(
      ["TRON_PRIVATE_KEY"], because: "a key in the environment can be read by every process of the same user")
    let hasKey = settings.isSet("TRON_PRIVATE_KEY")
    let hasKeystore = settings.isSet("TRON_KEYSTORE_FILE")
    if hasKey, hasKeystore {
      settings.note("TRON_KEYSTORE_FILE", "is set together with TRON_PRIVATE_KEY: expected one of them")
    } else if !hasKey, !hasKeystore {
      settings.note("TRON_KEYSTORE_FILE", "is required; 'payoutctl keystore create' makes one")
    } else if hasKeystore, !settings.isSet("TRON_KEYSTORE_PASSPHRASE") {
      settings.note("TRON_KEYSTORE_PASSPHRASE", "is required with TRON_KEYSTORE_FILE")
    }
  }

  /// The wallet's address; the key is wiped again.
  /// - Throws: `WorkerError` with code configuration, which holds neither key nor passphrase.
  func address() async throws(WorkerError) -> Address {
    do throws(KeystoreError) {
      try ProcessHardening.forbidCoreDumps()
      if let privateKey {
        let key = try privateKey.withText { text throws(KeystoreError) in HotWalletKey(try PrivateKey(hex: text)) }
        return key.address
      }
      let text = passphrase ?? Secret("")
      let opened = try text.withText { text throws(KeystoreError) in try Passphrase(text) }
      return try await Keystore.open(keystoreFile ?? "", passphrase: opened).address
    } catch {
      throw WorkerError(.configuration, "the hot wallet's key cannot be opened: \(error)")
    }
  }
}
