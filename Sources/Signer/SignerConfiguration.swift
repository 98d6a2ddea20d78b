import Keystore
import Payouts
public import Worker

/// What Signer reads besides what every worker reads.
///
/// ## Configuration keys
/// - those of `StoreConfiguration`, `TronConfiguration` and `NodeConfiguration`.
/// - `TRON_KEYSTORE_FILE` (path) and `TRON_KEYSTORE_PASSPHRASE` (secret): the hot wallet's key.
/// - `TRON_PRIVATE_KEY` (64 hex digits, secret, dev only): the key itself, instead of a keystore.
/// - `SIGNER_NAME` (text, default signer): names the journal; `SIGNER_NAMES` (list, default only this one): all who sign
///   for the wallet, all of whom must vouch.
/// - `SIGNER_STATE_DIR` (path, required): where the journal lies, on a disk of Signer's own.
/// - `INTENT_SEAL_PUBLIC_KEY` (`id:hex`, comma-separated, required): Ingest's public keys.
/// - `SIGNER_HOURLY_LIMIT_USDT`, `SIGNER_DAILY_LIMIT_USDT` (amounts, required outside of dev): what Signer signs at most.
/// - `TRANSACTION_EXPIRATION_SECONDS` (30 to `MAX_EXPIRATION_SECONDS`, default 120).
/// - `MAX_IN_FLIGHT_TRANSACTIONS` (1 to 100000, default 1000).
/// - `TREASURY_ADDRESSES` (addresses, comma-separated, default none): the only ones that treasury orders may send to.
public struct SignerConfiguration: SettingsReadable, Sendable {
  let stores: StoreConfiguration
  let tron: TronConfiguration
  let nodes: NodeConfiguration
  let key: SigningKeySource
  let name: String
  let names: [String]
  let stateDirectory: String
  let sealKeys: String
  let hourlyLimit: Amount?
  let dailyLimit: Amount?
  let expirationSeconds: Int64
  let maximumInFlight: Int
  let isDevelopment: Bool
  let treasury: Set<Address>

  /// Reads every key.
  public init(from settings: inout Settings) {
    stores = StoreConfiguration(from: &settings)
    tron = TronConfiguration(from: &settings)
    nodes = NodeConfiguration(from: &settings)
    key = SigningKeySource(from: &settings)
    let name = settings.signerName()
    self.name = name
    names = settings.list("SIGNER_NAMES", default: [name])
    if !names.contains(name), !settings.hasProblem("SIGNER_NAMES") {
      settings.note("SIGNER_NAMES", "does not name this Signer, \(name)")
    }
    stateDirectory = settings.text("SIGNER_STATE_DIR")
    sealKeys = settings.value(
      "INTENT_SEAL_PUBLIC_KEY", default: nil, standIn: "", expected: "id:hex of Ingest's public keys, comma-separated"
    ) { text throws(MalformedValue) in
      _ = try SealVerifier(text)
      return text
    }
    isDevelopment = settings.deploymentStage() == .dev
    hourlyLimit = SignerConfiguration.limit("SIGNER_HOURLY_LIMIT_USDT", isRequired: !isDevelopment, &settings)
    dailyLimit = SignerConfiguration.limit("SIGNER_DAILY_LIMIT_USDT", isRequired: !isDevelopment, &settings)
    expirationSeconds = settings.integer(
      "TRANSACTION_EXPIRATION_SECONDS", default: 120, in: 30...max(30, tron.maxExpirationSeconds))
    maximumInFlight = Int(settings.integer("MAX_IN_FLIGHT_TRANSACTIONS", default: 1_000, in: 1...100_000))
    treasury = SignerConfiguration.addresses("TREASURY_ADDRESSES", from: &settings)
  }

  private static func addresses(_ key: String, from settings: inout Settings) -> Set<Address> {
    var addresses: Set<Address> = []
    for text in settings.list(key) {
      do { addresses.insert(try Address(text)) } catch { settings.note(key, "\(text): \(error.reason)") }
    }
    return addresses
  }

  private static func limit(_ key: String, isRequired: Bool, _ settings: inout Settings) -> Amount? {
    isRequired || settings.isSet(key) ? settings.usdtAmount(key) : nil
  }
}

/// Where the hot wallet's key comes from.
struct SigningKeySource: Sendable {
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
      settings.note("TRON_KEYSTORE_FILE", "is required (in dev TRON_PRIVATE_KEY may stand in)")
    } else if hasKeystore, !settings.isSet("TRON_KEYSTORE_PASSPHRASE") {
      settings.note("TRON_KEYSTORE_PASSPHRASE", "is required with TRON_KEYSTORE_FILE")
    }
  }

  /// Opens the key.
  /// - Throws: `WorkerError` with code configuration, which never holds the key or the passphrase.
  func open() async throws(WorkerError) -> HotWalletKey {
    do throws(KeystoreError) {
      if let privateKey {
        return try privateKey.withText { text throws(KeystoreError) in HotWalletKey(try PrivateKey(hex: text)) }
      }
      let passphrase = try (self.passphrase ?? Secret("")).withText { text throws(KeystoreError) in
        try Passphrase(text)
      }
      return try await Keystore.open(keystoreFile ?? "", passphrase: passphrase)
    } catch {
      throw WorkerError(.configuration, "the hot wallet's key cannot be opened: \(error)")
    }
  }
}
