import Ledger
import Logging
import Payouts
import Signer
import Streams
import TestSupport
import Tron
import Worker

extension PayingScene {
  /// A Signer in this scene whose streams are a real server's; each call is a start of the same process anew.
  func signer(on streams: RedisStreams, run: UInt8) throws -> SignerSteps {
    let policy = SignerPolicy(
      name: PayingScene.signerName, names: [PayingScene.signerName], network: .devnet, token: PayingScene.token,
      seals: try SealVerifier(sealer.publicKeyText), hourlyLimit: nil, dailyLimit: nil)
    let parts = SignerParts(
      ledger: ledger, streams: streams, intents: streams, node: CheckedNode(node, genesis: node.genesis), key: key,
      journal: journal, clock: clock, runID: [UInt8](repeating: run, count: 16))
    return try SignerSteps(parts, policy: policy, metrics: nil, logger: Logger(label: "signer"))
  }

  /// A database of the shared server.
  static func redis(database: Int) async throws -> (streams: RedisStreams, url: String) {
    let url = "\(try await PrivateRedis.shared().url)/\(database)"
    return (try RedisStreams.patient(at: url), url)
  }
}
