import ArgumentParser
import Keystore
import Payouts
import Worker

/// `payoutctl keystore create`: makes the hot wallet's key and stores it encrypted.
///
/// ## Configuration keys
/// - `TRON_KEYSTORE_FILE` (path): where, unless `--file` says so.
/// - `TRON_KEYSTORE_PASSPHRASE` (secret): what encrypts it; asked at the terminal where it is not set.
struct CreateKeystore: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "create", abstract: "Makes a new key and stores it, encrypted under a passphrase.",
    discussion: """
      The passphrase comes from TRON_KEYSTORE_PASSPHRASE or TRON_KEYSTORE_PASSPHRASE_FILE, else it is asked at the \
      terminal. A file that exists is never overwritten. Keep a copy of the file and, elsewhere, of the passphrase: \
      nothing else opens the wallet.
      """)

  @Option(name: .long, help: "The file to make; default TRON_KEYSTORE_FILE.")
  var file: String?

  /// Prints the address and the path; never the key.
  func run() async throws {
    let file = file
    let (path, given) = try Settings.read { settings in
      let path = file ?? settings.text("TRON_KEYSTORE_FILE")
      return (path, settings.optionalSecret("TRON_KEYSTORE_PASSPHRASE"))
    }
    try ProcessHardening.forbidCoreDumps()
    let passphrase: Passphrase
    if let given {
      passphrase = try given.withText { text throws(KeystoreError) in try Passphrase(text) }
    } else {
      passphrase = try await Terminal.newPassphrase()
    }
    let address = try await Keystore.create(at: path, passphrase: passphrase)
    print("address \(address)")
    print("file    \(path)")
  }
}
